package embeddinghub

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/service"
)

// outcomes is the one table from errors to codes of gRPC: the first row whose error is
// wrapped decides. A row's text, where it has one, is shown instead of the error's own.
var outcomes = []struct {
	err  error
	code connect.Code
	text string
}{
	{contract.ErrFrozen, connect.CodeFailedPrecondition, "Cannot write to immutable space"}, // the original's words
	{contract.ErrImmutable, connect.CodeFailedPrecondition, ""},
	{contract.ErrInvalid, connect.CodeInvalidArgument, ""},
	{contract.ErrNotConfigured, connect.CodeInvalidArgument, ""},
	{service.ErrForbidden, connect.CodePermissionDenied, ""},
	{contract.ErrNotFound, connect.CodeNotFound, ""},
	{contract.ErrPruned, connect.CodeNotFound, ""},
	{contract.ErrConflict, connect.CodeInvalidArgument, ""},
	{contract.ErrReadOnly, connect.CodePermissionDenied, ""},
	{contract.ErrBusy, connect.CodeUnavailable, ""},
	{contract.ErrClosed, connect.CodeUnavailable, ""},
	{contract.ErrDown, connect.CodeUnavailable, ""},
	{contract.ErrCorrupt, connect.CodeDataLoss, "a stored file is damaged: run `vectorlink verify` to find it"},
	{contract.ErrStore, connect.CodeInternal, "the data directory cannot be read or written"},
	{context.Canceled, connect.CodeCanceled, ""},
	{context.DeadlineExceeded, connect.CodeDeadlineExceeded, ""},
}

// coded returns an error as gRPC tells it. Unforeseen ones reveal nothing, and the log
// tells of all that are of the inside.
func (d *door) coded(err error) error {
	var done *connect.Error
	if errors.As(err, &done) { // of the stream itself, or told already
		return done
	}
	for _, row := range outcomes {
		if !errors.Is(err, row.err) {
			continue
		}
		if row.text != "" && row.err != contract.ErrFrozen {
			d.log.Error("embeddinghub", "err", err)
		}
		if row.text != "" {
			err = errors.New(row.text)
		}
		return connect.NewError(row.code, err)
	}
	d.log.Error("embeddinghub", "err", err)
	return connect.NewError(connect.CodeInternal, errors.New("internal error"))
}

// invalid returns what is wrong with a request.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{contract.ErrInvalid}, args...)...)
}
