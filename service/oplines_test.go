package service

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vecstore"
)

// readOps reads all operations of a body and the error that ends them.
func readOps(body io.Reader, limit int) (ops []contract.Op, last error) {
	lines := NewOpReader(body, limit)
	for {
		op, err := lines.Next()
		if err != nil {
			return ops, err
		}
		ops = append(ops, op)
	}
}

// FuzzOpLines reads any bytes as a push's body: how they arrive makes no
// difference, what is accepted is well-formed, and what is refused is refused
// by its line.
func FuzzOpLines(f *testing.F) {
	for _, seed := range []string{
		"", "\n\r\n", `{"op":"Inserted","id":"a","string":"b"}`, `{"op":"Deleted","id":"a"}` + "\r\n" + `{"op":"Abort"}`,
		`{"op":"Error","message":"é"}` + "\n{", "{\"op\":\"Changed\",\"id\":\"\xff\",\"string\":\"\"}", `{"op":null}`, `[1]`, `{"op":"Inserted","id":"a","id":"","string":"x"}`,
		`{"op":"Inserted","id":"a","string":"b","vector":[1,-2.5e-3]}`, `{"op":"Changed","id":"a","string":"b","vector_b64":"AACAPwAAAMA="}`,
		`{"op":"Inserted","id":"a","string":"b","vector":[1],"vector_b64":"AACAPw=="}`,
		strings.Repeat(" ", 300), `{"op":"Error","message":"` + strings.Repeat("é", 400) + `"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		const limit = 1000
		ops, err := readOps(strings.NewReader(string(body)), limit)
		again, err2 := readOps(iotest.OneByteReader(strings.NewReader(string(body))), limit)
		if !reflect.DeepEqual(ops, again) || err.Error() != err2.Error() {
			t.Fatalf("at once %v, %v; byte by byte %v, %v", ops, err, again, err2)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, ErrAborted):
		case !errors.Is(err, contract.ErrInvalid) || !strings.Contains(err.Error(), "malformed line "):
			t.Fatalf("refused by %v", err)
		}
		for _, op := range ops {
			if op.Kind != contract.Failed && op.ID == "" || op.Kind == contract.Failed && len(op.Err.Error()) > maxMessage+30 || !utf8.ValidString(op.Text) {
				t.Fatalf("accepted %+v", op)
			}
		}
	})
}

func TestOpLinesNameBrokenBodies(t *testing.T) {
	_, err := readOps(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("  "))), 10)
	if !errors.Is(err, ErrGone) {
		t.Errorf("a broken body: %v", err)
	}
}

func BenchmarkOpLines(b *testing.B) {
	line := `{"op":"Inserted","id":"terminusdb:///holonet/Ship/falcon","string":"` + strings.Repeat("old wise man ", 20) + `"}` + "\n"
	body := strings.Repeat(line, 1000)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if ops, err := readOps(strings.NewReader(body), 1<<20); len(ops) != 1000 || !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	}
}

// FuzzVector reads any JSON as a vector, and compares it with what package json
// makes of it.
func FuzzVector(f *testing.F) {
	for _, seed := range []string{
		"[1,2,3]", " [ -0.5e+1 , 1E-3 ]", "[]", "[ ]", "null", `"x"`, `["1"]`, "[1,null]", "[[1],2]", `["a,b"]`, "[1e39]", "[1e-60]", "[1e999]",
		"{}", "[true]", "[1,]", `[{"a":1}]`, "7", "[0.1,3.4028235e38,3.4028236e38]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			t.Skip()
		}
		var all []any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		ok := d.Decode(&all) == nil && len(all) > 0 && len(all) <= vecstore.MaxDim
		var want []float32
		for _, x := range all {
			number, is := x.(json.Number)
			value, err := strconv.ParseFloat(string(number), 32)
			ok = ok && is && err == nil
			want = append(want, float32(value))
		}
		got, err := ParseVector(raw)
		if (err == nil) != ok || ok && !slices.Equal(got, want) {
			t.Errorf("%s is read as %v, %v; want %v, %v", raw, got, err, want, ok)
		}
		if err != nil && got != nil {
			t.Errorf("%s is read as %v and %v", raw, got, err)
		}
		if !ok {
			return
		}
		packed := make([]byte, 0, 4*len(want))
		for _, x := range want {
			packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(x))
		}
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding} {
			if again, err := ParseVector64(enc.EncodeToString(packed)); err != nil || !slices.Equal(again, want) {
				t.Errorf("%v comes back as %v, %v", want, again, err)
			}
		}
	})
}
