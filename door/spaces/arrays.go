package spaces

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/npy"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
)

// setArrays reads two arrays, keys and then vectors, and sets the items.
func setArrays(r io.Reader, dims int, set func(space.Item) error) error {
	in := npy.NewReader(r)
	bad := func(format string, args ...any) error {
		return service.Failure(contract.ErrInvalid, "%s", fmt.Sprintf(format, args...))
	}
	head, err := in.Next()
	if err != nil {
		return bad("the array of keys: %v", err)
	}
	if head.Cols != 0 || !head.IsInt() && !head.IsText() {
		return bad("the first array must be that of the keys: one dimension, integers or texts")
	}
	if head.Rows > maxArray {
		return bad("the array of keys has more than %d rows", maxArray)
	}
	var keys []space.Key
	for range head.Rows {
		var k space.Key
		if head.IsInt() {
			n, err := in.Int()
			if err != nil {
				return bad("the array of keys: %v", err)
			}
			k = space.IntKey(n)
		} else {
			text, err := in.Text()
			if err == nil {
				k, err = space.StringKey(text)
			}
			if err != nil {
				return bad("the array of keys: %v", err)
			}
		}
		keys = append(keys, k)
	}
	head, err = in.Next()
	if err != nil {
		return bad("the array of vectors: %v", err)
	}
	if head.Rows != len(keys) || head.Cols != dims || !head.IsFloat() {
		return bad("the second array must be that of the vectors: %d rows of %d numbers with a point", len(keys), dims)
	}
	for i, k := range keys {
		v, err := in.Floats(nil)
		if err != nil {
			return bad("row %d of the vectors: %v", i, err)
		}
		if err := set(space.Item{Key: k, Vector: v}); err != nil {
			return err
		}
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		return bad("there is more behind the array of vectors")
	}
	return nil
}

// maxArray bounds how many keys one array names.
const maxArray = 10_000_000

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
