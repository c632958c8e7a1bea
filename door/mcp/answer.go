package mcp

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/search"
)

// Limits of an answer, in bytes of JSON: maxAnswer of all, about 12,000 tokens, maxText
// of a text of a document in it, which leaves room for as many fields as there can be.
const (
	maxAnswer = 48 << 10
	maxText   = 28 << 10
)

// Where one thing of a list is larger than an answer, its texts and lists are cut.
const (
	shortText = 2 << 10
	shortList = 50
)

// defaultCount is how many things of a list are told by default.
const defaultCount = 10

// cutting is the part of a list that is asked for.
type cutting struct{ start, count int }

// page returns the part that a call asks for, and what the endpoint is asked with.
func (t *tool) page(args arguments) (page cutting, asked arguments, err error) {
	rest := args.without()
	if page.start, err = rest.take("start", 0, 0, search.MaxStart); err != nil {
		return page, nil, err
	}
	if page.count, err = rest.take("count", defaultCount, 1, search.MaxCount); err != nil {
		return page, nil, err
	}
	if t.cut {
		return page, rest, nil
	}
	asked = args.without()
	asked["count"] = number(page.count)
	return page, asked, nil
}

// answer returns an answer as an agent is to see it, within maxAnswer.
func (t *tool) answer(args arguments, page cutting, header http.Header, body []byte) ([]byte, error) {
	out := make(map[string]json.RawMessage)
	var list []json.RawMessage
	switch {
	case t.list == ".":
		if err := json.Unmarshal(body, &list); err != nil {
			return nil, err
		}
	case len(body) == 0:
	default:
		if err := json.Unmarshal(body, &out); err != nil {
			return nil, err
		}
	}
	put(out, "commit", strings.TrimPrefix(header.Get("TerminusDB-Data-Version"), "commit:"))
	put(out, "warnings", header.Values("X-Vectorlink-Warning"))
	put(out, "damaged", header.Get("X-Damaged-Documents"))
	switch {
	case t.shape != nil:
		if err := t.shape(args, out); err != nil {
			return nil, err
		}
	case t.list != "":
		name := "results"
		if t.list != "." {
			name = t.list
			if err := json.Unmarshal(out[name], &list); err != nil {
				return nil, err
			}
		}
		t.cutTo(page, list, name, out)
	}
	return encode(out), nil
}

// encode returns JSON in which < is itself, which takes a sixth of the room.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // texts, numbers and what was JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// put sets a member, unless it is there or nothing is to be told.
func put[T string | []string](out map[string]json.RawMessage, name string, value T) {
	if _, ok := out[name]; !ok && len(value) > 0 {
		out[name] = encode(value)
	}
}

// cutTo puts that part of a list into an answer which is asked for, as far as it has
// room, and where to go on.
func (t *tool) cutTo(page cutting, list []json.RawMessage, name string, out map[string]json.RawMessage) {
	more := !t.cut && len(list) == page.count && page.count > 0
	if t.cut {
		out["total"] = number(len(list))
		list = list[min(page.start, len(list)):]
		more = len(list) > page.count
		list = list[:min(page.count, len(list))]
	}
	room := maxAnswer
	for member, value := range out {
		if member != name {
			room -= len(value) + len(member)
		}
	}
	kept := make([]json.RawMessage, 0, len(list))
	for _, item := range list {
		if len(item)+1 > room && len(kept) == 0 {
			item = shortened(item, room)
		}
		if room -= len(item) + 1; room < 0 {
			break
		}
		kept = append(kept, item)
	}
	out[name] = encode(kept)
	if more || len(kept) < len(list) {
		out["next_start"] = number(page.start + len(kept))
	}
}

func number(n int) json.RawMessage { return strconv.AppendInt(nil, int64(n), 10) }

// shortened returns a value whose texts and lists are cut, within so many bytes.
func shortened(item json.RawMessage, room int) json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(item))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) == nil {
		if text := encode(shorten(v, 0)); len(text) < room {
			return text
		}
	}
	return json.RawMessage(`{"cut":"this is too large to be told: ask for less of it"}`)
}

// shorten cuts the texts and lists of a value.
func shorten(v any, depth int) any {
	switch v := v.(type) {
	case string:
		if len(v) > shortText {
			return cutText(v, shortText) + "… (cut)"
		}
	case []any:
		if depth > 8 {
			return nil
		}
		v = v[:min(len(v), shortList)]
		for i := range v {
			v[i] = shorten(v[i], depth+1)
		}
		return v
	case map[string]any:
		if depth > 8 {
			return nil
		}
		for name := range v {
			v[name] = shorten(v[name], depth+1)
		}
	}
	return v
}

// cutText returns the beginning of a text, of at most so many bytes, between two
// characters.
func cutText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// partOf keeps the part of a document's text that is asked for, and says where the next
// begins. Where the chunks begin is of no use to an agent.
func partOf(args arguments, out map[string]json.RawMessage) error {
	delete(out, "chunks")
	start, err := args.without().take("text_start", 0, 0, 1<<40)
	if err != nil {
		return err
	}
	var text *string
	if err := json.Unmarshal(out["text"], &text); len(out["text"]) == 0 || err != nil || text == nil {
		return nil
	}
	start = min(start, len(*text))
	for start > 0 && start < len(*text) && !utf8.RuneStart((*text)[start]) {
		start--
	}
	part := cutText((*text)[start:], maxText)
	// Escaped, a text may be six times as long.
	for {
		out["text"] = encode(part)
		if len(out["text"]) <= maxText+2 {
			break
		}
		part = cutText(part, len(part)/2)
	}
	if end := start + len(part); end < len(*text) {
		out["text_next"] = number(end)
	}
	return nil
}
