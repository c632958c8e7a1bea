package spaces

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/rawjson"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
)

const (
	// maxBody bounds a body that is one JSON object, maxLine a line of a stream.
	maxBody = 8 << 20
	maxLine = 4 << 20
	// maxAhead is how much of a stream is read before its commit is begun.
	maxAhead = 8 << 20
	// maxKeys bounds how many keys one request names.
	maxKeys = 100_000
	// maxWrites bounds a transaction.
	maxWrites = 100_000

	mediaJSON = "application/json"
	mediaND   = "application/x-ndjson"
	mediaNPY  = "application/x-npy"
	// mediaTensors is that of safetensors here: they have none.
	mediaTensors = "application/x-safetensors"
)

type door struct {
	spaces    *space.Spaces
	maxImport int64
}

// Routes returns what the door answers to. A snapshot file that is taken in has
// maxImport bytes at most.
func Routes(spaces *space.Spaces, maxImport int64) []service.Route {
	d := &door{spaces, maxImport}
	return []service.Route{
		{Path: "/spaces", Needs: service.Read, Methods: []string{http.MethodGet, http.MethodHead}, Answer: d.root},
		{Path: "/spaces", Needs: service.Push, Methods: []string{http.MethodPost}, Answer: d.root},
		{Path: "/spaces/*", Needs: service.Read, Methods: []string{http.MethodGet, http.MethodHead}, Answer: d.below, Streams: true},
		{Path: "/spaces/*", Needs: service.Read | service.Push, Methods: []string{http.MethodPost}, Answer: d.below, Streams: true}, // see operations
		{Path: "/spaces/*", Needs: service.Admin, Methods: []string{http.MethodDelete}, Answer: d.below, Streams: true},
	}
}

// call is a request for one space.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	sp    *space.Space
	at    space.At
	query url.Values
}

// operation is a call of a space, and what a key must have for it.
type operation struct {
	needs  service.Scope
	answer func(*door, *call) error
}

// The operations by method and name; that of no name is the space itself.
var operations = map[string]map[string]operation{
	http.MethodGet: {
		"": {service.Read, (*door).info}, "items": {service.Read, (*door).items}, "log": {service.Read, (*door).log},
		"diff": {service.Read, (*door).diff}, "branch": {service.Read, (*door).branches}, "snapshot": {service.Read, (*door).snapshot},
	},
	http.MethodPost: {
		"get": {service.Read, (*door).get}, "multiget": {service.Read, (*door).multiget}, "nearest": {service.Read, (*door).nearest},
		"set": {service.Push, (*door).set}, "multiset": {service.Push, (*door).multiset}, "delete": {service.Push, (*door).delete},
		"multidelete": {service.Push, (*door).multidelete}, "delete_all": {service.Push, (*door).deleteAll},
		"transaction": {service.Push, (*door).transaction}, "commit": {service.Push, (*door).commit}, "branch": {service.Push, (*door).branch},
		"merge": {service.Push, (*door).merge}, "revert": {service.Push, (*door).revert}, "freeze": {service.Push, (*door).freeze},
	},
}

// saying are the calls that make a commit, of which author and message can be said.
var saying = []string{"commit", "delete_all", "merge", "multidelete", "multiset", "revert", "transaction"}

func (d *door) root(w http.ResponseWriter, r *http.Request) error {
	if err := (&call{query: r.URL.Query()}).known(); err != nil {
		return err
	}
	if r.Method != http.MethodPost {
		list, err := d.spaces.List(r.Context())
		if err != nil {
			return err
		}
		return service.SendJSON(w, http.StatusOK, map[string]any{"spaces": list})
	}
	var req struct {
		Name string `json:"name"`
		space.Schema
	}
	if err := decode(r, &req); err != nil {
		return err
	}
	info, made, err := d.spaces.Create(r.Context(), req.Name, req.Schema)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	return service.SendJSON(w, status, info)
}

// below answers for one space. In its name a slash may be written as it is, or as %2F.
func (d *door) below(w http.ResponseWriter, r *http.Request) error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	name, op, err := split(r, operations[method])
	if err != nil {
		return err
	}
	if method == http.MethodDelete {
		if err := d.spaces.Delete(r.Context(), name); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if name, ok := strings.CutSuffix(name, "/snapshot"); ok && method == http.MethodPost && op == "" {
		if err := service.CallerOf(r.Context()).Require(service.Push); err != nil {
			return err
		}
		return d.take(w, r, name)
	}
	asked, ok := operations[method][op]
	if !ok {
		return service.Failure(contract.ErrInvalid, "name a call of the space: POST /spaces/NAME/%s", strings.Join(slices.Sorted(maps.Keys(operations[method])), ", "))
	}
	if err := service.CallerOf(r.Context()).Require(asked.needs); err != nil {
		return err
	}
	sp, at, err := d.spaces.Find(r.Context(), name)
	if err != nil {
		return err
	}
	c := &call{w, r, sp, at, r.URL.Query()}
	if method == http.MethodPost {
		if err := c.said(op); err != nil {
			return err
		}
	}
	return asked.answer(d, c)
}

// said reads what the query says of the commit that a call makes.
func (c *call) said(op string) error {
	if !slices.Contains(saying, op) {
		return c.known()
	}
	c.at.Said = contract.About{Author: c.query.Get("author"), Message: c.query.Get("message")}
	if err := c.at.Said.Check(); err != nil {
		return err
	}
	return c.known("author", "message")
}

// split returns the name of a space and that of the call.
func split(r *http.Request, ops map[string]operation) (name, op string, err error) {
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	_, after, ok := strings.Cut(raw, "/spaces/")
	if !ok {
		return "", "", service.Failure(service.ErrParameter, "the path names no space")
	}
	parts := strings.Split(strings.TrimSuffix(after, "/"), "/")
	if last := parts[len(parts)-1]; len(parts) > 1 && ops[last].answer != nil {
		op, parts = last, parts[:len(parts)-1]
	}
	name, err = url.PathUnescape(strings.Join(parts, "/"))
	if err != nil {
		err = service.Failure(service.ErrParameter, "the path names no space")
	}
	return name, op, err
}

// body reads a whole body.
func body(r *http.Request) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), 64<<10)+bytes.MinRead))
	if _, err := b.ReadFrom(io.LimitReader(r.Body, maxBody+1)); err != nil {
		return nil, service.Failure(contract.ErrInvalid, "the body cannot be read to its end")
	}
	if b.Len() > maxBody {
		return nil, service.Failure(service.ErrTooLarge, "the body is larger than %d bytes", maxBody)
	}
	return b.Bytes(), nil
}

// readAhead reads the start of a stream, mostly all of it: a commit holds back others of
// its branch, and is not to wait for a slow sender.
func (c *call) readAhead() error {
	b, err := io.ReadAll(io.LimitReader(c.r.Body, maxAhead))
	if err != nil {
		return service.Failure(contract.ErrInvalid, "the body cannot be read to its end")
	}
	c.r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(b), c.r.Body))
	return nil
}

// decode reads a body of one JSON object, whose members are all known.
func decode(r *http.Request, v any) error {
	b, err := body(r)
	if err != nil {
		return err
	}
	return unmarshal(b, v)
}

func unmarshal(b []byte, v any) error {
	b = rawjson.Trim(b)
	if err := rawjson.Check(b); err != nil {
		return service.Failure(contract.ErrInvalid, "%v", err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	_, behind := dec.Token()
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil && errors.Is(behind, io.EOF):
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return service.Failure(contract.ErrInvalid, "%s cannot be a %s", wrong.Field, wrong.Value)
	case err != nil && strings.HasPrefix(err.Error(), "json: unknown field "):
		name := strings.TrimPrefix(err.Error(), "json: unknown field ")
		return service.Failure(service.ErrUnknown, "unknown member %s%s", name, service.Instead(strings.Trim(name, `"`), members(v)))
	}
	return service.Failure(contract.ErrInvalid, "the body must be one JSON object")
}

// members returns the names of the members of a body.
func members(v any) (names []string) {
	t := reflect.TypeOf(v).Elem()
	if t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

func nothing(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// item is an item as it is sent here.
type item struct {
	Key       json.RawMessage `json:"key"`
	Vector    json.RawMessage `json:"vector"`
	VectorB64 string          `json:"vector_b64"`
	Fields    json.RawMessage `json:"fields"`
	Text      *string         `json:"text"`
}

// readItem reads an item from one JSON object.
func readItem(b []byte) (space.Item, error) {
	var it item
	err := withVector(b, &it, &it.Vector)
	if err != nil {
		return space.Item{}, err
	}
	return it.read()
}

// withVector reads one JSON object with a vector, whose numbers are gone through once.
func withVector(b []byte, v any, vector *json.RawMessage) error {
	array, rest := rawjson.CutNumbers(b, "vector")
	err := unmarshal(rest, v)
	if array != nil && string(*vector) == "null" { // of two the last counts
		*vector = array
	}
	return err
}

func (it *item) read() (space.Item, error) {
	k, err := space.ParseKey(it.Key)
	if err != nil {
		return space.Item{}, err
	}
	v, err := vectorOf(it.Vector, it.VectorB64)
	if err == nil && v == nil {
		err = service.Failure(contract.ErrInvalid, "vector is missing")
	}
	return space.Item{Key: k, Vector: v, Fields: it.Fields, Text: it.Text}, err
}

// vectorOf reads a vector of either form, nil for none.
func vectorOf(raw json.RawMessage, b64 string) (v []float32, err error) {
	name := "vector"
	switch {
	case b64 != "":
		name = "vector_b64"
		v, err = service.ParseVector64(b64)
	case len(raw) == 0 || string(raw) == "null":
		return nil, nil
	default:
		v, err = service.ParseVector(raw)
	}
	if err != nil {
		return nil, service.Failure(contract.ErrInvalid, "%s %v", name, err)
	}
	return v, nil
}

// appendItem appends an item as a line of JSON, with or without its vector.
func appendItem(b []byte, it space.Item, vectors bool) []byte {
	b = append(b, `{"key":`...)
	b = append(b, space.KeyJSON(it.Key)...)
	if vectors {
		b = append(b, `,"vector":[`...)
		for i, x := range it.Vector {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
		}
		b = append(b, ']')
	}
	if it.Fields != nil {
		b = append(append(b, `,"fields":`...), it.Fields...)
	}
	if it.Text != nil {
		text, _ := service.Encode(*it.Text) // strings encode
		b = append(append(b, `,"text":`...), text...)
	}
	return append(b, '}', '\n')
}

// whole reads a number of the query.
func (c *call) whole(name string, byDefault, most int) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return byDefault, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, service.Failure(service.ErrParameter, "%s must be 1 to %d", name, most)
	}
	return n, nil
}

// after reads the key behind which a list goes on, nil for its beginning.
func (c *call) after() (*space.Key, error) {
	text := c.query.Get("after")
	if text == "" {
		return nil, nil
	}
	k, err := space.ParseKey(json.RawMessage(text))
	if err != nil {
		return nil, service.Failure(service.ErrParameter, "after must be a key as JSON: a number, or a text in quotes")
	}
	return &k, nil
}

// known refuses parameters of the query that are none of these.
func (c *call) known(names ...string) error {
	for name := range c.query {
		if !slices.Contains(names, name) {
			return service.Failure(service.ErrUnknown, "unknown parameter %q%s", name, service.Instead(name, names))
		}
	}
	return nil
}
