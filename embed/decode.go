package embed

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"

	"github.com/sashabaranov/go-openai"
)

// An answer is what a provider says to a request: vectors, or, from some servers
// also under HTTP 200, an error as a member or in the place of it all.
type answer struct {
	Data []struct {
		Index     int
		Embedding vector
	}
	Error, Errors   json.RawMessage
	Detail, Message json.RawMessage // what some frameworks say instead
	Object          string
	Usage           json.RawMessage // not every server's is an object
	complaint
}

// complaint is what is looked at of an error.
type complaint struct {
	Type string
	Code any
}

// read reads the first JSON value of r. What follows it is not looked at. It fails
// with the error that the answer holds in the place of vectors.
func (a *answer) read(r io.Reader) error {
	if err := json.NewDecoder(r).Decode(a); err != nil {
		return err
	}
	said := func(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }
	if len(a.Data) > 0 || a.Object != "error" && !said(a.Error) && (a.Data != nil || a.Code == nil && !said(a.Errors) && !said(a.Detail) && !said(a.Message)) {
		return nil
	}
	// Where these are no objects they have neither.
	_ = json.Unmarshal(a.Error, &a.complaint)
	if list := []complaint(nil); json.Unmarshal(a.Errors, &list) == nil && len(list) > 0 {
		a.complaint = list[0]
	}
	return &openai.APIError{HTTPStatusCode: http.StatusOK, Type: a.Type, Code: a.Code}
}

// tokens returns what the provider says that it has read, or else what guess says.
func (a *answer) tokens(guess int) int {
	var usage struct {
		Prompt int `json:"prompt_tokens"`
		Total  int `json:"total_tokens"`
	}
	_ = json.Unmarshal(a.Usage, &usage) // without it both are 0
	if n := cmp.Or(usage.Total, usage.Prompt); n > 0 && n < maxTokens {
		return n
	}
	return guess
}

// maxTokens is more than one request can have.
const maxTokens = 1 << 30

// A vector is read from a list of numbers or from the base64 of float32s,
// little-endian. From null it is empty.
type vector []float32

var errVector = errors.New("a vector is neither numbers nor base64")

// UnmarshalJSON reads either form.
func (v *vector) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '"' {
		// A null among the numbers would count as 0.
		if bytes.Contains(data, []byte("null")) && len(data) > len("null") {
			return errVector
		}
		return json.Unmarshal(data, (*[]float32)(v))
	}
	var text []byte // base64 is what encoding/json takes for bytes
	if err := json.Unmarshal(data, &text); err != nil {
		if text, err = base64.RawStdEncoding.DecodeString(string(data[1 : len(data)-1])); err != nil {
			return errVector
		}
	}
	if len(text)%4 != 0 {
		return errVector
	}
	*v = make(vector, len(text)/4)
	for i := range *v {
		(*v)[i] = math.Float32frombits(binary.LittleEndian.Uint32(text[4*i:]))
	}
	return nil
}
