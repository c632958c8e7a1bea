package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
)

// StoreError gives the errors of the packages below their meaning for a user.
func StoreError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, vecstore.ErrCorrupt), errors.Is(err, snapshot.ErrCorrupt):
		return fmt.Errorf("%w: %w", contract.ErrCorrupt, err)
	case errors.Is(err, vecstore.ErrVersion), errors.Is(err, snapshot.ErrVersion):
		return fmt.Errorf("%w: %w; start the program that wrote it", contract.ErrConflict, err)
	case errors.Is(err, vecstore.ErrMismatch):
		return fmt.Errorf("%w: %w", contract.ErrConflict, err)
	}
	var file *fs.PathError
	var link *os.LinkError
	if errors.As(err, &file) || errors.As(err, &link) {
		return fmt.Errorf("%w: %w", contract.ErrStore, err)
	}
	return err
}
