package spaces

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/npy"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
)

func (d *door) info(c *call) error {
	if err := c.known(); err != nil {
		return err
	}
	info, err := c.sp.Info(c.r.Context(), c.at)
	if err != nil {
		return err
	}
	return service.SendJSON(c.w, http.StatusOK, info)
}

func (d *door) freeze(c *call) error {
	if err := c.sp.Freeze(c.r.Context()); err != nil {
		return err
	}
	return d.info(c)
}

func (d *door) set(c *call) error {
	b, err := body(c.r)
	if err != nil {
		return err
	}
	it, err := readItem(b)
	if err == nil {
		err = c.sp.Set(c.r.Context(), c.at, it)
	}
	if err != nil {
		return err
	}
	return nothing(c.w)
}

// keyed is a body that names one key.
type keyed struct {
	Key json.RawMessage `json:"key"`
}

func (c *call) key() (space.Key, error) {
	var body keyed
	if err := decode(c.r, &body); err != nil {
		return space.Key{}, err
	}
	return space.ParseKey(body.Key)
}

func (d *door) get(c *call) error {
	k, err := c.key()
	if err != nil {
		return err
	}
	it, err := c.sp.Get(c.r.Context(), c.at, k)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", mediaJSON)
	_, err = c.w.Write(bytes.TrimSpace(appendItem(nil, it, true)))
	return err
}

func (d *door) delete(c *call) error {
	k, err := c.key()
	if err == nil {
		err = c.sp.Delete(c.r.Context(), c.at, k)
	}
	if err != nil {
		return err
	}
	return nothing(c.w)
}

// lines calls visit with the lines of a body that are not blank.
func lines(r io.Reader, visit func(line []byte) error) error {
	in := service.NewOpReader(r, maxLine)
	for {
		line, err := in.Line()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, service.ErrGone):
			return service.Failure(contract.ErrInvalid, "the body cannot be read to its end")
		case err != nil:
			return err
		}
		if err := visit(bytes.TrimSpace(line)); err != nil {
			return in.At(err)
		}
	}
}

// bulk makes one commit of what fill adds to it, or none.
func (c *call) bulk(fill func(*space.Bulk) error) (commit string, err error) {
	b, err := c.sp.Bulk(c.r.Context(), c.at)
	if err != nil {
		return "", err
	}
	defer b.Abort()
	if err := fill(b); err != nil {
		return "", err
	}
	return b.Commit()
}

// multiset stores many items by one commit: all of them, or none.
func (d *door) multiset(c *call) error {
	if err := c.readAhead(); err != nil {
		return err
	}
	n := 0
	commit, err := c.bulk(func(b *space.Bulk) (err error) {
		switch service.MediaType(c.r) {
		case mediaNPY:
			err = setArrays(c.r.Body, c.sp.Schema().Dims, b.Set)
		case mediaTensors:
			err = setTensors(c.r.Body, c.sp.Schema().Dims, b.Set)
		default:
			err = lines(c.r.Body, func(line []byte) error {
				it, err := readItem(line)
				if err != nil {
					return err
				}
				return b.Set(it)
			})
		}
		n, _ = b.Counts()
		return err
	})
	if err != nil {
		return err
	}
	return service.SendJSON(c.w, http.StatusOK, map[string]any{"set": n, "commit": commit})
}

func (c *call) keys() ([]space.Key, bool, error) {
	var body struct {
		Keys    []json.RawMessage `json:"keys"`
		Vectors *bool             `json:"vectors"`
	}
	if err := decode(c.r, &body); err != nil {
		return nil, false, err
	}
	keys, err := parseKeys(body.Keys)
	return keys, body.Vectors == nil || *body.Vectors, err
}

func parseKeys(raw []json.RawMessage) ([]space.Key, error) {
	if len(raw) > maxKeys {
		return nil, service.Failure(contract.ErrInvalid, "keys are more than %d", maxKeys)
	}
	keys := make([]space.Key, len(raw))
	for i := range raw {
		var err error
		if keys[i], err = space.ParseKey(raw[i]); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// multiget sends the items of keys in the order asked, all of one moment.
func (d *door) multiget(c *call) error {
	keys, vectors, err := c.keys()
	if err != nil {
		return err
	}
	return c.sp.Look(c.r.Context(), c.at, func(get func(space.Key) (space.Item, bool, error)) error {
		if service.Preferred(c.r, mediaND, mediaNPY) == mediaNPY {
			for _, k := range keys { // before a byte is sent
				if _, ok, err := get(k); err != nil || !ok {
					return errors.Join(err, fmt.Errorf("%w: there is no key %.100s", contract.ErrNoKey, space.KeyJSON(k)))
				}
			}
			out := begin(c, mediaNPY)
			out.add(npy.Header{Type: npy.Float32, Rows: len(keys), Cols: c.sp.Schema().Dims}.Append(nil))
			for _, k := range keys {
				it, _, err := get(k)
				if err != nil {
					return err
				}
				out.add(npy.AppendFloats(nil, it.Vector))
			}
			return out.end()
		}
		out := begin(c, mediaND)
		for _, k := range keys {
			it, ok, err := get(k)
			switch {
			case err != nil:
				return err
			case ok:
				out.add(appendItem(nil, it, vectors))
			default:
				out.add(fmt.Appendf(nil, `{"key":%s,"missing":true}`+"\n", space.KeyJSON(k)))
			}
		}
		return out.end()
	})
}

func (d *door) multidelete(c *call) error {
	if err := c.readAhead(); err != nil {
		return err
	}
	n := 0
	commit, err := c.bulk(func(b *space.Bulk) (err error) {
		defer func() { _, n = b.Counts() }()
		if service.MediaType(c.r) == mediaND {
			return lines(c.r.Body, func(line []byte) error {
				var body keyed
				if err := unmarshal(line, &body); err != nil {
					return err
				}
				k, err := space.ParseKey(body.Key)
				if err != nil {
					return err
				}
				return b.Delete(k)
			})
		}
		keys, _, err := c.keys()
		for i := 0; err == nil && i < len(keys); i++ {
			err = b.Delete(keys[i])
		}
		return err
	})
	if err != nil {
		return err
	}
	return service.SendJSON(c.w, http.StatusOK, map[string]any{"deleted": n, "commit": commit})
}

func (d *door) deleteAll(c *call) error {
	n, commit, err := c.sp.DeleteAll(c.r.Context(), c.at)
	if err != nil {
		return err
	}
	return service.SendJSON(c.w, http.StatusOK, map[string]any{"deleted": n, "commit": commit})
}

func (d *door) nearest(c *call) error {
	var asked struct {
		Key          json.RawMessage   `json:"key"`
		Keys         []json.RawMessage `json:"keys"`
		Vector       json.RawMessage   `json:"vector"`
		VectorB64    string            `json:"vector_b64"`
		N            *int              `json:"n"`
		Filter       string            `json:"filter"`
		OutputFields []string          `json:"output_fields"`
		Ef           int               `json:"ef"`
	}
	b, err := body(c.r)
	if err == nil {
		err = withVector(b, &asked, &asked.Vector)
	}
	if err != nil {
		return err
	}
	req := space.NearestRequest{N: 10, Filter: asked.Filter, Ef: asked.Ef, OutputFields: asked.OutputFields}
	if asked.N != nil {
		req.N = *asked.N
	}
	if len(asked.Key) > 0 {
		asked.Keys = append(asked.Keys, asked.Key)
	}
	if req.Keys, err = parseKeys(asked.Keys); err == nil {
		req.Vector, err = vectorOf(asked.Vector, asked.VectorB64)
	}
	if err != nil {
		return err
	}
	hits, err := c.sp.Nearest(c.r.Context(), c.at, req)
	if err != nil {
		return err
	}
	type hit struct {
		Key      json.RawMessage `json:"key"`
		Distance float32         `json:"distance"`
		Score    float32         `json:"score"`
		Fields   json.RawMessage `json:"fields,omitempty"`
	}
	shown := make([]hit, len(hits))
	for i, h := range hits {
		shown[i] = hit{space.KeyJSON(h.Key), h.Distance, h.Score, h.Fields}
	}
	return service.SendJSON(c.w, http.StatusOK, map[string]any{"hits": shown})
}

// items sends all items, of one moment.
func (d *door) items(c *call) error {
	if err := c.known("after", "limit", "vectors"); err != nil {
		return err
	}
	limit, err := c.whole("limit", maxArray, maxArray)
	if err != nil {
		return err
	}
	after, err := c.after()
	if err != nil {
		return err
	}
	vectors := c.query.Get("vectors") != "false"
	return c.sp.Items(c.r.Context(), c.at, after, func(_ int, items iter.Seq2[space.Item, error]) error {
		items = first(items, limit)
		switch service.Preferred(c.r, mediaND, mediaNPY, mediaTensors) {
		case mediaNPY:
			return itemArrays(c, items)
		case mediaTensors:
			return itemTensors(c, items)
		}
		out := begin(c, mediaND)
		for it, err := range items {
			if err != nil {
				return err
			}
			if out.add(appendItem(nil, it, vectors)); out.failed != nil {
				break
			}
		}
		return out.end()
	})
}

// stream is an answer in the making.
type stream struct {
	w      *bufio.Writer
	failed error
	silent bool
}

func begin(c *call, mediaType string) *stream {
	c.w.Header().Set("Content-Type", mediaType)
	return &stream{w: bufio.NewWriterSize(c.w, 64<<10), silent: c.r.Method == http.MethodHead}
}

func (s *stream) add(b []byte) {
	if s.failed == nil && !s.silent {
		_, s.failed = s.w.Write(b)
	}
}

func (s *stream) end() error {
	if s.failed != nil {
		return s.failed
	}
	return s.w.Flush()
}

func (d *door) commit(c *call) error {
	b, err := body(c.r)
	if err == nil && len(bytes.TrimSpace(b)) > 0 {
		err = unmarshal(b, &struct{}{})
	}
	if err != nil {
		return err
	}
	commit, err := c.sp.Commit(c.r.Context(), c.at)
	if err != nil {
		return err
	}
	return sendCommit(c, commit)
}

func sendCommit(c *call, commit string) error {
	if commit == "" {
		return service.SendJSON(c.w, http.StatusOK, map[string]any{"commit": nil})
	}
	return service.SendJSON(c.w, http.StatusOK, map[string]any{"commit": commit})
}

func (d *door) transaction(c *call) error {
	var req struct {
		Writes []struct {
			Set    *item           `json:"set"`
			Delete json.RawMessage `json:"delete"`
		} `json:"writes"`
	}
	if err := decode(c.r, &req); err != nil {
		return err
	}
	if len(req.Writes) > maxWrites {
		return service.Failure(contract.ErrInvalid, "writes are more than %d", maxWrites)
	}
	commit, err := c.bulk(func(b *space.Bulk) (err error) {
		for i, w := range req.Writes {
			switch {
			case (w.Set == nil) == (len(w.Delete) == 0):
				err = service.Failure(contract.ErrInvalid, "a write is either set or delete")
			case w.Set != nil:
				var it space.Item
				if it, err = w.Set.read(); err == nil {
					err = b.Set(it)
				}
			default:
				var k space.Key
				if k, err = space.ParseKey(w.Delete); err == nil {
					err = b.Delete(k)
				}
			}
			if err != nil {
				return fmt.Errorf("%w (write %d)", err, i+1)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return sendCommit(c, commit)
}

func (d *door) log(c *call) error {
	if err := c.known("limit"); err != nil {
		return err
	}
	limit, err := c.whole("limit", 100, 10_000)
	if err != nil {
		return err
	}
	log, more := c.sp.Log(c.at, limit)
	return service.SendJSON(c.w, http.StatusOK, map[string]any{"commits": log, "more": more})
}

// diff lists the differences between two references, at most limit of them.
func (d *door) diff(c *call) error {
	if err := c.known("from", "to", "limit", "after"); err != nil {
		return err
	}
	limit, err := c.whole("limit", 1000, 100_000)
	if err != nil {
		return err
	}
	after, err := c.after()
	if err != nil {
		return err
	}
	if c.query.Get("from") == "" || c.query.Get("to") == "" {
		return service.Failure(service.ErrMissing, "from and to are needed: commits, tags or branches")
	}
	type change struct {
		Key      json.RawMessage `json:"key"`
		Distance *float32        `json:"distance,omitempty"`
	}
	answer := struct {
		Added   []json.RawMessage `json:"added"`
		Removed []json.RawMessage `json:"removed"`
		Changed []change          `json:"changed"`
		Next    json.RawMessage   `json:"next,omitempty"` // the key to go on after
	}{[]json.RawMessage{}, []json.RawMessage{}, []change{}, nil}
	err = c.sp.Diff(c.r.Context(), c.query.Get("from"), c.query.Get("to"), func(all func(yield func(space.Difference, error) bool)) error {
		n, last := 0, json.RawMessage(nil)
		for x, err := range all {
			if err != nil {
				return err
			}
			if after != nil && x.Key.Compare(*after) <= 0 {
				continue
			}
			if n == limit {
				answer.Next = last
				break
			}
			n, last = n+1, space.KeyJSON(x.Key)
			switch x.Change {
			case search.Added:
				answer.Added = append(answer.Added, last)
			case search.Removed:
				answer.Removed = append(answer.Removed, last)
			default:
				answer.Changed = append(answer.Changed, change{last, x.Distance})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return service.SendJSON(c.w, http.StatusOK, answer)
}

func (d *door) branches(c *call) error {
	return service.SendJSON(c.w, http.StatusOK, map[string]any{"branches": c.sp.Branches()})
}

func (d *door) branch(c *call) error {
	var req struct {
		Branch string `json:"branch"`
		From   string `json:"from"`
	}
	if err := decode(c.r, &req); err != nil {
		return err
	}
	from := c.at
	if req.From != "" {
		var err error
		if from, err = c.sp.Resolve(req.From); err != nil {
			return err
		}
	}
	if err := c.sp.MakeBranch(c.r.Context(), from, req.Branch); err != nil {
		return err
	}
	info, err := c.sp.Info(c.r.Context(), space.At{Branch: req.Branch})
	if err != nil {
		return err
	}
	return service.SendJSON(c.w, http.StatusCreated, info)
}

func (d *door) merge(c *call) error {
	var req struct {
		From string `json:"from"`
		Into string `json:"into"`
	}
	if err := decode(c.r, &req); err != nil {
		return err
	}
	if req.From == "" {
		return service.Failure(service.ErrMissing, "from is needed: the branch to merge")
	}
	into := c.at
	if req.Into != "" {
		var err error
		if into, err = c.sp.Resolve(req.Into); err != nil {
			return err
		}
		into.Said = c.at.Said
	}
	commit, conflicts, err := c.sp.Merge(c.r.Context(), into, req.From)
	if err != nil {
		return err
	}
	type conflict struct {
		Key    json.RawMessage `json:"key"`
		Ours   string          `json:"ours"`
		Theirs string          `json:"theirs"`
		Kept   string          `json:"kept"`
	}
	shown := make([]conflict, len(conflicts))
	for i, x := range conflicts {
		shown[i] = conflict{space.KeyJSON(x.Key), x.Ours, x.Theirs, x.Kept}
	}
	return service.SendJSON(c.w, http.StatusOK, map[string]any{"commit": commit, "conflicts": shown})
}

func (d *door) revert(c *call) error {
	var req struct {
		To string `json:"to"`
	}
	if err := decode(c.r, &req); err != nil {
		return err
	}
	if req.To == "" {
		return service.Failure(service.ErrMissing, "to is needed: the commit, tag or branch to go back to")
	}
	commit, err := c.sp.Revert(c.r.Context(), c.at, req.To)
	if err != nil {
		return err
	}
	return sendCommit(c, commit)
}
