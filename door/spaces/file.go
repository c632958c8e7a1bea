package spaces

import (
	"errors"
	"iter"
	"net/http"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
)

// snapshot sends the snapshot file of a place, which is made while it is sent: of
// NAME@REF, or of the parameter ref.
func (d *door) snapshot(c *call) error {
	if err := c.known("ref"); err != nil {
		return err
	}
	if ref := c.query.Get("ref"); ref != "" {
		at, err := c.sp.Resolve(ref)
		if err != nil {
			return err
		}
		c.at = at
	}
	return c.sp.Bundle(c.r.Context(), c.at, func(_ string, file *bundle.Writer) error {
		return service.SendBundle(c.w, c.r, file)
	})
}

// take takes a snapshot file into the space of a name, which need not be there.
func (d *door) take(w http.ResponseWriter, r *http.Request, name string) error {
	body := http.MaxBytesReader(w, r.Body, d.maxImport)
	result, err := d.spaces.Import(r.Context(), name, body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return service.Failure(service.ErrTooLarge, "the snapshot file is larger than %d bytes (setting import-bytes)", d.maxImport)
	}
	if err != nil {
		return err
	}
	return service.SendJSON(w, http.StatusOK, result)
}

// first yields the first n items.
func first(items iter.Seq2[space.Item, error], n int) iter.Seq2[space.Item, error] {
	return func(yield func(space.Item, error) bool) {
		left := n
		for it, err := range items {
			if left--; !yield(it, err) || left == 0 {
				return
			}
		}
	}
}
