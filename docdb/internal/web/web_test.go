package web_test

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/docdb/internal/web"
)

// TestReasonOfAKilledServer: a request whose sending is cut short because the
// answer broke off is one whose connection was lost.
func TestReasonOfAKilledServer(t *testing.T) {
	err := error(&net.OpError{Op: "readfrom", Net: "tcp", Err: &net.OpError{Op: "write", Net: "tcp", Err: net.ErrClosed}})
	err = &url.Error{Op: "Post", URL: "http://x/", Err: fmt.Errorf("wrapped: %w", err)}
	if got := web.Reason(err, time.Second, "X"); !web.IsLost(err) || !strings.HasPrefix(got, "the connection was closed") {
		t.Errorf("%v is said to be %q", err, got)
	}
}
