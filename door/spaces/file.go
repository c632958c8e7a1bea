package spaces

import (
	"encoding/binary"
	"errors"
	"iter"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/npy"
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
	return send(w, http.StatusOK, result)
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

// itemArrays sends all items as two arrays, of keys and of vectors. Items are gone
// through three times, which costs less than holding them.
func itemArrays(c *call, items iter.Seq2[space.Item, error]) error {
	rows, texts, chars := 0, 0, 1
	for it, err := range items {
		if err != nil {
			return err
		}
		if rows++; !it.Key.Int {
			texts++
			chars = max(chars, utf8.RuneCountInString(it.Key.ID))
		}
	}
	if texts > 0 && texts < rows {
		return service.Failure(contract.ErrInvalid, "keys of both kinds are in no one array: ask for lines")
	}
	head := npy.Header{Type: npy.Int64, Rows: rows}
	if texts > 0 {
		head.Type = "<U" + strconv.Itoa(chars)
	}
	out := begin(c, mediaNPY)
	out.add(head.Append(nil))
	for it, err := range items {
		if err != nil {
			return err
		}
		if texts > 0 {
			out.add(npy.AppendText(nil, it.Key.ID, chars))
			continue
		}
		n, err := strconv.ParseInt(it.Key.ID, 10, 64)
		if err != nil {
			return err
		}
		out.add(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	}
	out.add(npy.Header{Type: npy.Float32, Rows: rows, Cols: c.sp.Schema().Dims}.Append(nil))
	for it, err := range items {
		if err != nil {
			return err
		}
		out.add(npy.AppendFloats(nil, it.Vector))
	}
	return out.end()
}
