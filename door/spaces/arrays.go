package spaces

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
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

// wrong says what is wrong with arrays that came.
func wrong(format string, args ...any) error {
	return service.Failure(contract.ErrInvalid, "%s", fmt.Sprintf(format, args...))
}

// setArrays reads two arrays, keys and then vectors, and sets the items.
func setArrays(r io.Reader, dims int, set func(space.Item) error) error {
	in := npy.NewReader(r)
	head, err := in.Next()
	if err != nil {
		return wrong("the array of keys: %v", err)
	}
	if head.Cols != 0 || !head.IsInt() && !head.IsText() {
		return wrong("the first array must be that of the keys: one dimension, integers or texts")
	}
	if head.Rows > maxArray {
		return wrong("the array of keys has more than %d rows", maxArray)
	}
	var keys []space.Key
	for range head.Rows {
		var k space.Key
		if head.IsInt() {
			n, err := in.Int()
			if err != nil {
				return wrong("the array of keys: %v", err)
			}
			k = space.IntKey(n)
		} else {
			text, err := in.Text()
			if err == nil {
				k, err = space.StringKey(text)
			}
			if err != nil {
				return wrong("the array of keys: %v", err)
			}
		}
		keys = append(keys, k)
	}
	if head, err = in.Next(); err != nil {
		return wrong("the array of vectors: %v", err)
	}
	if err := setRows(in, head, keys, dims, set); err != nil {
		return err
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		return wrong("there is more behind the array of vectors")
	}
	return nil
}

// setRows sets the rows of an array under their keys.
func setRows(in *npy.Reader, head npy.Header, keys []space.Key, dims int, set func(space.Item) error) error {
	if head.Rows != len(keys) || head.Cols != dims || !head.IsFloat() {
		return wrong("the vectors must be %d rows of %d numbers with a point", len(keys), dims)
	}
	for i, k := range keys {
		v, err := in.Floats(nil)
		if err != nil {
			return wrong("row %d of the vectors: %v", i, err)
		}
		if err := set(space.Item{Key: k, Vector: v}); err != nil {
			return err
		}
	}
	return nil
}

// setTensors reads a safetensors file, and sets the items: rows under the keys in its
// metadata, or those of a tensor.
func setTensors(r io.Reader, dims int, set func(space.Item) error) error {
	t, err := npy.ReadTensors(r, maxHeader)
	if err != nil {
		return wrong("%v", err)
	}
	if t.Header.Rows > maxArray {
		return wrong("there are more than %d vectors", maxArray)
	}
	var keys []space.Key
	if t.Keys != nil {
		for _, n := range t.Keys {
			keys = append(keys, space.IntKey(n))
		}
	} else {
		var raw []json.RawMessage
		if err := unmarshal([]byte(cmp.Or(t.IDs, "[]")), &raw); err != nil {
			return wrong("the ids in the metadata must be a JSON array of keys")
		}
		for _, text := range raw {
			k, err := space.ParseKey(text)
			if err != nil {
				return err
			}
			keys = append(keys, k)
		}
	}
	return setRows(t.Rows, t.Header, keys, dims, set)
}

const (
	// maxArray bounds how many keys one array names.
	maxArray = 10_000_000
	// maxHeader bounds the header of a safetensors file, in which keys may stand.
	maxHeader = 32 << 20
)

// itemTensors sends all items as a safetensors file, their keys in its metadata. Items
// are gone through twice.
func itemTensors(c *call, items iter.Seq2[space.Item, error]) error {
	ids, rows := []byte("["), 0
	for it, err := range items {
		if err != nil {
			return err
		}
		if rows > 0 {
			ids = append(ids, ',')
		}
		ids = append(ids, space.KeyJSON(it.Key)...)
		rows++
	}
	start, _, err := npy.AppendTensors(nil, map[string]string{}, npy.Matrix{
		Name: "embeddings", Index: "ids", IDs: append(ids, ']'), Rows: rows, Cols: c.sp.Schema().Dims,
	})
	if err != nil {
		return err
	}
	out := begin(c, mediaTensors)
	out.add(start)
	for it, err := range items {
		if err != nil {
			return err
		}
		out.add(npy.AppendFloats(nil, it.Vector))
	}
	return out.end()
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
