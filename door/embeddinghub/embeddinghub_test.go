package embeddinghub_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/door/embeddinghub"
	"github.com/vectorlink/vectorlink/door/embeddinghub/pb"
	"github.com/vectorlink/vectorlink/service"
)

// memory is spaces in memory.
type memory struct {
	mu     sync.Mutex
	spaces map[string]*table
	err    error // what every method returns, unless nil
}

type table struct {
	dims    int
	frozen  bool
	vectors map[string][]float32
	commits int
}

func (m *memory) at(name string) (*table, error) {
	if m.err != nil {
		return nil, m.err
	}
	if s, ok := m.spaces[name]; ok {
		return s, nil
	}
	return nil, fmt.Errorf("%w: there is no space %s", contract.ErrNotFound, name)
}

func (m *memory) Create(_ context.Context, name string, dims int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.spaces[name]; ok && s.dims != dims {
		return fmt.Errorf("%w: it has %d dimensions", contract.ErrConflict, s.dims)
	} else if !ok {
		m.spaces[name] = &table{dims: dims, vectors: make(map[string][]float32)}
	}
	return m.err
}

func (m *memory) Check(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err := m.at(name)
	return err
}

func (m *memory) Delete(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err := m.at(name)
	delete(m.spaces, name)
	return err
}

func (m *memory) Freeze(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.at(name)
	if err == nil {
		s.frozen = true
	}
	return err
}

func (m *memory) Get(_ context.Context, name, key string) ([]float32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.at(name)
	if err != nil {
		return nil, err
	}
	return s.vectors[key], nil
}

func (m *memory) Set(ctx context.Context, name string, item embeddinghub.Item) error {
	return m.SetAll(ctx, name, func(yield func(embeddinghub.Item, error) bool) { yield(item, nil) })
}

func (m *memory) Remove(ctx context.Context, name, key string) error {
	return m.RemoveAll(ctx, name, func(yield func(string, error) bool) { yield(key, nil) })
}

// change changes a space by what is yielded, unless that ends with an error.
func (m *memory) change(name string, changes func(s *table, vectors map[string][]float32) error) error {
	m.mu.Lock()
	s, err := m.at(name)
	m.mu.Unlock()
	switch {
	case err != nil:
		return err
	case s.frozen:
		return embeddinghub.ErrFrozen
	}
	vectors := maps.Clone(s.vectors)
	if err := changes(s, vectors); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.vectors = vectors
	s.commits++
	return nil
}

func (m *memory) SetAll(_ context.Context, name string, items iter.Seq2[embeddinghub.Item, error]) error {
	return m.change(name, func(s *table, vectors map[string][]float32) error {
		for item, err := range items {
			if err != nil {
				return err
			}
			if len(item.Vector) != s.dims {
				return fmt.Errorf("%w: %s has %d dimensions", contract.ErrInvalid, item.Key, len(item.Vector))
			}
			vectors[item.Key] = item.Vector
		}
		return nil
	})
}

func (m *memory) RemoveAll(_ context.Context, name string, keys iter.Seq2[string, error]) error {
	return m.change(name, func(_ *table, vectors map[string][]float32) error {
		for key, err := range keys {
			if err != nil {
				return err
			}
			delete(vectors, key)
		}
		return nil
	})
}

func (m *memory) Nearest(_ context.Context, name, key string, vector []float32, n int) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.at(name)
	if err != nil {
		return nil, err
	}
	if vector == nil {
		if vector = s.vectors[key]; vector == nil {
			return nil, fmt.Errorf("%w: no key %s", contract.ErrNotFound, key)
		}
	}
	far := func(id string) (d float32) {
		for i, x := range s.vectors[id] {
			d += (x - vector[i]) * (x - vector[i])
		}
		return d
	}
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(s.vectors)), func(id string) bool { return id == key })
	slices.SortStableFunc(keys, func(a, b string) int {
		if far(a) < far(b) {
			return -1
		}
		return 1
	})
	return keys[:min(n, len(keys))], nil
}

func (m *memory) Items(_ context.Context, name string) iter.Seq2[embeddinghub.Item, error] {
	return func(yield func(embeddinghub.Item, error) bool) {
		m.mu.Lock()
		s, err := m.at(name)
		var vectors map[string][]float32
		if err == nil {
			vectors = maps.Clone(s.vectors)
		}
		m.mu.Unlock()
		if err != nil {
			yield(embeddinghub.Item{}, err)
		}
		for _, key := range slices.Sorted(maps.Keys(vectors)) {
			if !yield(embeddinghub.Item{Key: key, Vector: vectors[key]}, nil) {
				return
			}
		}
	}
}

// hub is a client of the service, in gRPC over HTTP/2 without TLS.
type hub struct {
	url    string
	client *http.Client
}

// newHub serves spaces on a port, as the program does, and returns a client.
func newHub(t *testing.T, spaces embeddinghub.Spaces, cfg api.Config) *hub {
	t.Helper()
	before := goleak.IgnoreCurrent()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Routes = embeddinghub.Routes(spaces, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- api.Serve(ctx, l, api.New(cfg, (*service.Service)(nil)), slog.New(slog.DiscardHandler))
	}()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		goleak.VerifyNone(t, before)
	})
	return &hub{"http://" + l.Addr().String(), &http.Client{Transport: transport}}
}

// rpc returns a client of a procedure.
func rpc[Req, Res any](h *hub, name string) *connect.Client[Req, Res] {
	return connect.NewClient[Req, Res](h.client, h.url+embeddinghub.Service+name, connect.WithGRPC())
}

// ask calls a procedure of one request and one answer.
func ask[Req, Res any](t *testing.T, h *hub, name string, req *Req) (*Res, error) {
	t.Helper()
	res, err := rpc[Req, Res](h, name).CallUnary(t.Context(), connect.NewRequest(req))
	if err != nil {
		return nil, err
	}
	return res.Msg, nil
}

func embedding(values ...float32) *pb.Embedding { return &pb.Embedding{Values: values} }

func (h *hub) create(t *testing.T, name string, dims uint32) error {
	_, err := ask[pb.CreateSpaceRequest, pb.CreateSpaceResponse](t, h, "CreateSpace", &pb.CreateSpaceRequest{Name: name, Dims: dims})
	return err
}

func (h *hub) set(t *testing.T, name, key string, values ...float32) error {
	_, err := ask[pb.SetRequest, pb.SetResponse](t, h, "Set", &pb.SetRequest{Space: name, Key: key, Embedding: embedding(values...)})
	return err
}

func (h *hub) get(t *testing.T, name, key string) ([]float32, error) {
	res, err := ask[pb.GetRequest, pb.GetResponse](t, h, "Get", &pb.GetRequest{Space: name, Key: key})
	return res.GetEmbedding().GetValues(), err
}

func (h *hub) multiSet(t *testing.T, requests ...*pb.MultiSetRequest) error {
	stream := rpc[pb.MultiSetRequest, pb.MultiSetResponse](h, "MultiSet").CallClientStream(t.Context())
	for _, req := range requests {
		if err := stream.Send(req); err != nil {
			break // the answer says why
		}
	}
	_, err := stream.CloseAndReceive()
	return err
}

func (h *hub) nearest(t *testing.T, req *pb.NearestNeighborRequest) (string, error) {
	res, err := ask[pb.NearestNeighborRequest, pb.NearestNeighborResponse](t, h, "NearestNeighbor", req)
	return strings.Join(res.GetKeys(), " "), err
}

// all downloads a space.
func (h *hub) all(t *testing.T, name string) (string, error) {
	stream, err := rpc[pb.DownloadRequest, pb.DownloadResponse](h, "Download").CallServerStream(t.Context(), connect.NewRequest(&pb.DownloadRequest{Space: name}))
	if err != nil {
		return "", err
	}
	defer stream.Close()
	var b strings.Builder
	for stream.Receive() {
		fmt.Fprint(&b, stream.Msg().Key, stream.Msg().Embedding.GetValues(), " ")
	}
	return b.String(), stream.Err()
}

func newMemory() *memory { return &memory{spaces: make(map[string]*table)} }

// TestCalls makes every call of the protocol over gRPC.
func TestCalls(t *testing.T) {
	m := newMemory()
	h := newHub(t, m, api.Config{})
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	check("create", h.create(t, "s", 3))
	check("create again", h.create(t, "s", 3))
	check("set", h.set(t, "s", "a", 1, 2, 3))
	if got, err := h.get(t, "s", "a"); err != nil || !slices.Equal(got, []float32{1, 2, 3}) {
		t.Errorf("get: %v, %v", got, err)
	}
	if got, err := h.get(t, "s", "none"); err != nil || len(got) != 0 {
		t.Errorf("get of no key: %v, %v", got, err)
	}
	before := m.spaces["s"].commits
	check("multiset", h.multiSet(t, &pb.MultiSetRequest{Space: "s", Key: "b", Embedding: embedding(1, 2, 4)},
		&pb.MultiSetRequest{Space: "s", Key: "c", Embedding: embedding(9, 9, 9)}, &pb.MultiSetRequest{Space: "s", Key: "d", Embedding: embedding(7, 8, 9)}))
	check("multiset of nothing", h.multiSet(t))
	if got := m.spaces["s"].commits - before; got != 1 {
		t.Errorf("a stream made %d commits", got)
	}
	get := rpc[pb.MultiGetRequest, pb.MultiGetResponse](h, "MultiGet").CallBidiStream(t.Context())
	for key, want := range map[string]string{"b": "[1 2 4]", "none": "[]", "a": "[1 2 3]"} { // each is answered before the next is sent
		check("send", get.Send(&pb.MultiGetRequest{Space: "s", Key: key}))
		res, err := get.Receive()
		if check("multiget", err); fmt.Sprint(res.Embedding.GetValues()) != want {
			t.Errorf("multiget %s: %v, want %s", key, res, want)
		}
	}
	check("close", get.CloseRequest())
	check("close", get.CloseResponse())
	if got, err := h.nearest(t, &pb.NearestNeighborRequest{Space: "s", Key: "a", Num: 2}); err != nil || got != "b d" {
		t.Errorf("nearest to a key: %q, %v", got, err)
	}
	if got, err := h.nearest(t, &pb.NearestNeighborRequest{Space: "s", Embedding: embedding(1, 2, 3), Num: 9}); err != nil || got != "a b d c" {
		t.Errorf("nearest to a vector: %q, %v", got, err)
	}
	// The package sends a deletion as a Set of its DeleteRequest.
	_, err := ask[pb.DeleteRequest, pb.SetResponse](t, h, "Set", &pb.DeleteRequest{Space: "s", Key: "d"})
	check("delete by Set", err)
	_, err = ask[pb.DeleteRequest, pb.DeleteResponse](t, h, "Delete", &pb.DeleteRequest{Space: "s", Key: "none"})
	check("delete of no key", err)
	remove := rpc[pb.MultiDeleteRequest, pb.MultiDeleteResponse](h, "MultiDelete").CallClientStream(t.Context())
	for _, key := range []string{"c", "none"} {
		check("send", remove.Send(&pb.MultiDeleteRequest{Space: "s", Key: key}))
	}
	_, err = remove.CloseAndReceive()
	check("multidelete", err)
	if got, err := h.all(t, "s"); err != nil || got != "a[1 2 3] b[1 2 4] " {
		t.Errorf("download: %q, %v", got, err)
	}
	_, err = ask[pb.FreezeSpaceRequest, pb.FreezeSpaceResponse](t, h, "FreezeSpace", &pb.FreezeSpaceRequest{Name: "s"})
	check("freeze", err)
	if err := h.set(t, "s", "a", 3, 2, 1); connect.CodeOf(err) != connect.CodeFailedPrecondition || !strings.Contains(err.Error(), "Cannot write to immutable space") {
		t.Errorf("set in a frozen space: %v", err)
	}
	_, err = ask[pb.CheckSpaceRequest, pb.CheckSpaceResponse](t, h, "CheckSpace", &pb.CheckSpaceRequest{Name: "s"})
	check("check", err)
	_, err = ask[pb.DeleteSpaceRequest, pb.DeleteSpaceResponse](t, h, "DeleteSpace", &pb.DeleteSpaceRequest{Name: "s"})
	check("delete", err)
	_, err = ask[pb.CheckSpaceRequest, pb.CheckSpaceResponse](t, h, "CheckSpace", &pb.CheckSpaceRequest{Name: "s"})
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("check of a deleted space: %v", err)
	}
}

// TestMistakes: what cannot be done is told by its code, and a stream that ends with a
// mistake writes nothing.
func TestMistakes(t *testing.T) {
	m := newMemory()
	h := newHub(t, m, api.Config{})
	if err := h.create(t, "s", 2); err != nil {
		t.Fatal(err)
	}
	set := func(space, key string, values ...float32) *pb.MultiSetRequest {
		return &pb.MultiSetRequest{Space: space, Key: key, Embedding: embedding(values...)}
	}
	long := &pb.MultiSetRequest{Space: "s", Key: strings.Repeat("k", 1<<20), Embedding: embedding(1, 2)}
	_, noKey := h.nearest(t, &pb.NearestNeighborRequest{Space: "s", Num: 1})
	_, both := h.nearest(t, &pb.NearestNeighborRequest{Space: "s", Num: 1, Key: "a", Embedding: embedding(1, 2)})
	_, many := h.nearest(t, &pb.NearestNeighborRequest{Space: "s", Num: 1 << 30, Key: "a"})
	_, unknown := h.nearest(t, &pb.NearestNeighborRequest{Space: "s", Num: 1, Key: "a"})
	_, noSpace := h.all(t, "none")
	for name, tt := range map[string]struct {
		err  error
		code connect.Code
	}{
		"other dimensions":       {h.create(t, "s", 3), connect.CodeInvalidArgument},
		"wrong dimension":        {h.set(t, "s", "a", 1, 2, 3), connect.CodeInvalidArgument},
		"an empty embedding":     {h.set(t, "s", "a"), connect.CodeInvalidArgument},
		"no space":               {h.set(t, "none", "a", 1, 2), connect.CodeNotFound},
		"in a stream":            {h.multiSet(t, set("s", "a", 1, 2), set("s", "b", 1)), connect.CodeInvalidArgument},
		"without an embedding":   {h.multiSet(t, set("s", "a", 1, 2), &pb.MultiSetRequest{Space: "s", Key: "b"}), connect.CodeInvalidArgument},
		"two spaces in a stream": {h.multiSet(t, set("s", "a", 1, 2), set("r", "b", 1, 2)), connect.CodeInvalidArgument},
		"a message too long":     {h.multiSet(t, set("s", "a", 1, 2), long), connect.CodeResourceExhausted},
		"neither key nor vector": {noKey, connect.CodeInvalidArgument},
		"key and vector":         {both, connect.CodeInvalidArgument},
		"too many neighbours":    {many, connect.CodeInvalidArgument},
		"neighbours of no key":   {unknown, connect.CodeNotFound},
		"download of no space":   {noSpace, connect.CodeNotFound},
	} {
		if connect.CodeOf(tt.err) != tt.code {
			t.Errorf("%s: got %v, want %v", name, tt.err, tt.code)
		}
	}
	if got, err := h.all(t, "s"); err != nil || got != "" {
		t.Errorf("something was written: %q, %v", got, err)
	}
	// A stream whose client leaves before its end writes nothing either.
	ctx, leave := context.WithCancel(t.Context())
	stream := rpc[pb.MultiSetRequest, pb.MultiSetResponse](h, "MultiSet").CallClientStream(ctx)
	if err := stream.Send(set("s", "a", 1, 2)); err != nil {
		t.Fatal(err)
	}
	leave()
	if _, err := stream.CloseAndReceive(); connect.CodeOf(err) != connect.CodeCanceled {
		t.Errorf("a stream that was left: %v", err)
	}
	if got, err := h.all(t, "s"); err != nil || got != "" {
		t.Errorf("a broken stream wrote: %q, %v", got, err)
	}
	m.err = errors.New("open /var/lib/inside: broken")
	if err := h.set(t, "s", "a", 1, 2); connect.CodeOf(err) != connect.CodeInternal || strings.Contains(err.Error(), "inside") {
		t.Errorf("an unforeseen error: %v", err)
	}
}

// TestAccess: the door asks for the API's secret, as clients of gRPC understand.
func TestAccess(t *testing.T) {
	h := newHub(t, newMemory(), api.Config{Secret: contract.NewSecret("sesame")})
	if err := h.create(t, "s", 2); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("without the secret: %v", err)
	}
	req := connect.NewRequest(&pb.CreateSpaceRequest{Name: "s", Dims: 2})
	req.Header().Set("Authorization", "Bearer sesame")
	if _, err := rpc[pb.CreateSpaceRequest, pb.CreateSpaceResponse](h, "CreateSpace").CallUnary(t.Context(), req); err != nil {
		t.Errorf("with the secret: %v", err)
	}
}

// FuzzStream: whatever bytes come as a stream of messages, there is an answer with a
// status that is no fault of ours.
func FuzzStream(f *testing.F) {
	frame := func(message string) string {
		return string([]byte{0, 0, 0, 0, byte(len(message))}) + message
	}
	f.Add("MultiSet", frame("\n\x01a\x12\x0a\n\x08\x00\x00\x80\x3f\x00\x00\x00\x40\x1a\x01s"))
	f.Add("MultiSet", frame("\n\x01a\x1a\x01s")+frame("\n\x01b\x1a\x01s"))
	f.Add("MultiGet", frame("\n\x01a\x12\x01s")+"\x01\x00\x00\x00\x01x")
	f.Add("MultiDelete", frame("\n\x01a\x12\x01s"))
	f.Add("NearestNeighbor", frame("\x08\x02\x12\x01s\x22\x0a\n\x08\x00\x00\xc0\x7f\x00\x00\x00\x40"))
	f.Add("Download", frame("\n\x01s"))
	f.Add("Set", "\x00\xff\xff\xff\xff")
	f.Add("Set", frame("\x12\x04\n\x02\x00\x00"))
	m := newMemory()
	if err := m.Create(context.Background(), "s", 2); err != nil {
		f.Fatal(err)
	}
	h := api.New(api.Config{Insecure: true, Routes: embeddinghub.Routes(m, slog.New(slog.DiscardHandler))}, (*service.Service)(nil))
	f.Fuzz(func(t *testing.T, procedure, body string) {
		r := httptest.NewRequest("POST", "/x", strings.NewReader(body))
		r.URL.Path, r.ProtoMajor, r.ProtoMinor = embeddinghub.Service+procedure, 2, 0
		r.Header.Set("Content-Type", "application/grpc+proto")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch status := w.Result().Trailer.Get("Grpc-Status") + w.Header().Get("Grpc-Status"); {
		case w.Code == 404 || w.Code == 405: // another procedure
		case w.Code != 200, status == "", w.Result().Trailer.Get("Grpc-Message") == "internal error":
			t.Fatalf("%s %q: %d, status %q, %v %v", procedure, body, w.Code, status, w.Header(), w.Result().Trailer)
		}
	})
}
