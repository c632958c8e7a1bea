package npy_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/internal/npy"
)

// tensors returns a safetensors file of a header and data.
func tensors(header string, data ...byte) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header + string(data)
}

// told returns what a safetensors file holds, as text.
func told(body string) (string, error) {
	t, err := npy.ReadTensors(strings.NewReader(body), 1<<16)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%s %v %s %d×%d", t.IDs, t.Keys, t.Header.Type, t.Header.Rows, t.Header.Cols)
	for range t.Header.Rows {
		row, err := t.Rows.Floats(nil)
		if err != nil {
			return text, err
		}
		text += fmt.Sprint(" ", row)
	}
	return text, nil
}

func TestReadTensors(t *testing.T) {
	const one = "\x00\x00\x80\x3f"
	for _, c := range []struct{ name, body, want, err string }{
		{"alone", tensors(`{"x":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`, []byte(one+one)...), " [] <f4 1×2 [1 1]", ""},
		{"ids", tensors(`{"__metadata__":{"ids":"[7]"},"embeddings":{"dtype":"F16","shape":[1,1],"data_offsets":[0,2]}}`, 0, 0x3c), "[7] [] <f2 1×1 [1]", ""},
		{"keys", tensors(`{"keys":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"vectors":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]}}`, []byte("\x05\x00\x00\x00\x00\x00\x00\x00"+one)...), " [5] <f4 1×1 [1]", ""},
		{"another before", tensors(`{"other":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"keys":{"dtype":"I32","shape":[1],"data_offsets":[8,12]},"embeddings":{"dtype":"F32","shape":[1,1],"data_offsets":[12,16]}}`, []byte("12345678\xff\xff\xff\xff"+one)...), " [-1] <f4 1×1 [1]", ""},
		{"none", tensors(`{"a":{"dtype":"F32","shape":[0,2],"data_offsets":[0,0]}}`), " [] <f4 0×2", ""},

		{"nothing", "", "", "the header is cut off"},
		{"a long header", "\xff\xff\xff\xff\xff\xff\xff\xff{}", "", "the header has 18446744073709551615 bytes"},
		{"cut header", tensors("{}")[:9], "", "the header is cut off"},
		{"lines", `{"key":1,"vector":[1]}`, "", "bytes"},
		{"no object", tensors("[]"), "", "not a safetensors file"},
		{"null", tensors(`{"a":null}`), "", "0 dimensions"},
		{"a text", tensors(`{"a":"x"}`), "", "is none of a safetensors file"},
		{"two", tensors(`{"a":{"dtype":"F32","shape":[0,2],"data_offsets":[0,0]},"b":{}}`), "", "no tensor embeddings"},
		{"another place", tensors(`{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,4]}}`), "", "a tensor's place"},
		{"negative", tensors(`{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[-8,0]}}`), "", "a tensor's place"},
		{"negative shape", tensors(`{"a":{"dtype":"F32","shape":[-1,2],"data_offsets":[0,-8]}}`), "", "-1 rows"},
		{"huge", tensors(`{"a":{"dtype":"F32","shape":[1,4611686018427387904],"data_offsets":[0,8]}}`), "", "more than"},
		{"type", tensors(`{"a":{"dtype":"U8","shape":[1,2],"data_offsets":[0,2]}}`), "", `"U8"`},
		{"keys behind", tensors(`{"keys":{"dtype":"I64","shape":[1],"data_offsets":[4,12]},"embeddings":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}`), "", "before the vectors"},
		{"keys in the same place", tensors(`{"keys":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"embeddings":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}`, []byte(one)...), "", "two tensors in one place"},
		{"keys with a point", tensors(`{"keys":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"embeddings":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]}}`, []byte(one)...), "", "whole numbers"},
		{"keys cut off", tensors(`{"keys":{"dtype":"I64","shape":[1099511627776],"data_offsets":[0,8796093022208]},"embeddings":{"dtype":"F32","shape":[1,1],"data_offsets":[8796093022208,8796093022212]}}`), "", "row 1 is cut off"},
		{"rows cut off", tensors(`{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}`, []byte(one)...), " [] <f4 2×1 [1]", "row 2 is cut off"},
	} {
		got, err := told(c.body)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %q, %v, want %q, %q", c.name, got, err, c.want, c.err)
		}
	}
}

func TestAppendTensors(t *testing.T) {
	start, size, err := npy.AppendTensors(nil, map[string]string{"m": "<x>"},
		npy.Matrix{Name: "embeddings", Index: "ids", IDs: []byte(`["a","b"]`), Rows: 2, Cols: 1}, npy.Matrix{Name: "more", Index: "more_ids", IDs: []byte("[]"), Cols: 1})
	if err != nil || size != 8 || len(start)%8 != 0 || !strings.Contains(string(start), "<x>") {
		t.Fatalf("%q, %d, %v", start, size, err)
	}
	if got, err := told(string(npy.AppendFloats(start, []float32{1, 2}))); err != nil || got != `["a","b"] [] <f4 2×1 [1] [2]` {
		t.Error(got, err)
	}
}

// FuzzTensors reads what is no safetensors file within the memory that its bytes are worth.
func FuzzTensors(f *testing.F) {
	f.Add([]byte(tensors(`{"keys":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"vectors":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]}}`, make([]byte, 12)...)))
	f.Add([]byte(tensors(`{"__metadata__":{"ids":"[1]"},"a":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]}}`, make([]byte, 4)...)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = told(string(b))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20+256*uint64(len(b)) {
			t.Errorf("%d bytes took %d of memory", len(b), n)
		}
	})
}
