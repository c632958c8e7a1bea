package openai

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/rawjson"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// Limits of a request: MaxInputs texts, of MaxText bytes each, in a body of MaxBody.
const (
	MaxInputs = 2048
	MaxText   = 1 << 20
	MaxBody   = 16 << 20
)

// Embedder makes vectors of texts, as a *service.Service does.
type Embedder interface {
	Embed(ctx context.Context, req search.EmbedRequest) (search.Embedded, error)
}

// Config is what the door needs to know.
type Config struct {
	// Model is the name of the one model there is, and Dim asks for the length of its
	// vectors.
	Model string
	Dim   func(ctx context.Context, callerKey contract.Secret) (int, error)
	// Text returns the text of tokens, which some clients send in its place; nil:
	// tokens are refused.
	Text func(tokens []int) (string, error)
}

// Routes returns what the door answers to.
func Routes(cfg Config, e Embedder) []service.Route {
	d := &door{cfg, e}
	read := []string{http.MethodGet, http.MethodHead}
	return []service.Route{
		{Path: "/v1/embeddings", Needs: service.Read, Methods: []string{http.MethodPost}, Answer: d.embeddings, Problem: shape},
		{Path: "/v1/models", Needs: service.Read, Methods: read, Answer: d.models, Problem: shape},
		{Path: "/v1/models/*", Needs: service.Read, Methods: read, Answer: d.model, Problem: shape},
	}
}

type door struct {
	cfg Config
	e   Embedder
}

// request is the body of a request for embeddings.
type request struct {
	Input          json.RawMessage `json:"input"`
	Model          string          `json:"model"`
	EncodingFormat string          `json:"encoding_format"`
	Dimensions     *int            `json:"dimensions"`
	// InputType says what the texts are to the model; it is Cohere's and others'.
	InputType string `json:"input_type"`
}

// roles are the words of InputType.
var roles = map[string]contract.Role{
	"": contract.RoleDocument, "document": contract.RoleDocument, "passage": contract.RoleDocument, "search_document": contract.RoleDocument,
	"query": contract.RoleQuery, "search_query": contract.RoleQuery,
	"clustering": contract.RoleClustering, "classification": contract.RoleClassification,
}

// embeddings answers POST /v1/embeddings.
func (d *door) embeddings(w http.ResponseWriter, r *http.Request) error {
	var req request
	if err := readBody(r, &req); err != nil {
		return err
	}
	if err := d.known(req.Model); err != nil {
		return err
	}
	role, ok := roles[req.InputType]
	switch {
	case !ok:
		return at("input_type", "input_type must be document, query, clustering or classification")
	case !slices.Contains([]string{"", "float", "base64"}, req.EncodingFormat):
		return at("encoding_format", "encoding_format must be float or base64")
	}
	texts, err := d.texts(req.Input)
	if err != nil {
		return err
	}
	key := service.CallerKey(r.Header)
	if req.Dimensions != nil { // before anything is paid for
		dim, err := d.cfg.Dim(r.Context(), key)
		if err != nil {
			return err
		}
		if *req.Dimensions != dim {
			return at("dimensions", "the vectors of %s have %d dimensions and are not shortened", d.cfg.Model, dim)
		}
	}
	made, err := d.e.Embed(r.Context(), search.EmbedRequest{Texts: texts, Role: role, CallerKey: key})
	var refused *contract.RefusedError
	var text *search.TextError
	if errors.As(err, &refused) && errors.As(err, &text) {
		return at("input", "input[%d] cannot be embedded: %v", text.Index, refused)
	}
	if err != nil {
		return err
	}
	if made.Cut > 0 {
		w.Header().Add("X-Vectorlink-Warning", strconv.Itoa(made.Cut)+" of the texts are longer than the model reads: what is beyond its window does not count")
	}
	type embedding struct {
		Object    string `json:"object"`
		Index     int    `json:"index"`
		Embedding any    `json:"embedding"`
	}
	type usage struct {
		Prompt int `json:"prompt_tokens"`
		Total  int `json:"total_tokens"`
	}
	list := make([]embedding, len(made.Vectors))
	for i, v := range made.Vectors {
		list[i] = embedding{"embedding", i, v}
		if req.EncodingFormat == "base64" {
			list[i].Embedding = packed(v)
		}
	}
	return service.SendJSON(w, http.StatusOK, struct {
		Object string      `json:"object"`
		Data   []embedding `json:"data"`
		Model  string      `json:"model"`
		Usage  usage       `json:"usage"`
	}{"list", list, d.cfg.Model, usage{made.Tokens, made.Tokens}})
}

// packed returns a vector as base64 of little-endian float32.
func packed(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(b)
}

// texts returns the texts of an input: one, or a list, of strings or of arrays of
// tokens.
func (d *door) texts(input json.RawMessage) ([]string, error) {
	var items []json.RawMessage
	switch first := strings.TrimLeft(string(input[:min(len(input), 64)]), " \t\r\n"); {
	case first == "" || string(input) == "null":
		return nil, at("input", "input is required")
	case first[0] == '"':
		items = []json.RawMessage{input}
	case first[0] != '[' || json.Unmarshal(input, &items) != nil:
		return nil, at("input", "input must be a string, or an array of strings or of tokens")
	case len(items) > 0 && isNumber(items[0]):
		items = []json.RawMessage{input} // the tokens of one text
	}
	if n := len(items); n == 0 || n > MaxInputs {
		return nil, at("input", "input must have 1 to %d texts", MaxInputs)
	}
	texts := make([]string, len(items))
	for i, item := range items {
		var err error
		if texts[i], err = d.text(i, item); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

func isNumber(item json.RawMessage) bool {
	return item[0] == '-' || item[0] >= '0' && item[0] <= '9'
}

// text returns one text of an input.
func (d *door) text(i int, item json.RawMessage) (string, error) {
	var text *string
	if json.Unmarshal(item, &text) != nil {
		var tokens []int
		switch {
		case json.Unmarshal(item, &tokens) != nil:
			return "", at("input", "input[%d] must be a string or an array of tokens", i)
		case d.cfg.Text == nil:
			return "", at("input", "this model has no tokens that a client could know: send texts")
		}
		decoded, err := d.cfg.Text(tokens)
		if err != nil {
			return "", at("input", "input[%d]: these are no tokens of cl100k_base: send texts", i)
		}
		text = &decoded
	}
	switch {
	case text == nil || *text == "":
		return "", at("input", "input[%d] must not be empty", i)
	case len(*text) > MaxText:
		return "", at("input", "input[%d] is longer than %d bytes", i, MaxText)
	}
	return *text, nil
}

// model is a model as OpenAI describes one.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (d *door) only() model { return model{d.cfg.Model, "model", 0, "vectorlink"} }

// models answers GET /v1/models.
func (d *door) models(w http.ResponseWriter, _ *http.Request) error {
	return service.SendJSON(w, http.StatusOK, struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{"list", []model{d.only()}})
}

// model answers GET /v1/models/{model}.
func (d *door) model(w http.ResponseWriter, r *http.Request) error {
	if err := d.known(strings.TrimPrefix(r.URL.Path, "/v1/models/")); err != nil {
		return err
	}
	return service.SendJSON(w, http.StatusOK, d.only())
}

// known refuses other models than the one that there is. To answer with vectors of
// this one in the place of another's would mix what cannot be compared.
func (d *door) known(name string) error {
	switch name {
	case d.cfg.Model:
		return nil
	case "":
		return at("model", "model is required: this server has %s", d.cfg.Model)
	}
	return &problem{service.Failure(contract.ErrNotFound, "the model %.100q does not exist here: this server has %s", name, d.cfg.Model), "model", "model_not_found"}
}

// readBody reads a JSON body of bounded length.
func readBody(r *http.Request, into any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	switch {
	case err != nil:
		return service.Failure(service.ErrParameter, "the body cannot be read to its end")
	case len(body) > MaxBody:
		return service.Failure(service.ErrTooLarge, "the body is larger than %d bytes", MaxBody)
	}
	body = rawjson.Trim(body)
	if err := rawjson.Check(body); err != nil {
		return service.Failure(service.ErrParameter, "%v", err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return service.Failure(service.ErrParameter, "the body is not the JSON of a request for embeddings")
	}
	return nil
}
