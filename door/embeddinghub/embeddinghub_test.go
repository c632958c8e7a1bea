package embeddinghub_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/door/embeddinghub"
	"github.com/vectorlink/vectorlink/door/embeddinghub/pb"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// newSpaces returns the spaces of a directory in memory, and the service over it.
func newSpaces(t testing.TB) (*space.Spaces, *service.Service, *vfstest.Fault) {
	t.Helper()
	files := vfstest.NewFault(vfstest.NewMem())
	ix, err := indexer.Open(indexer.Config{FS: files, Embedder: &indexertest.Embedder{}, Renderer: templates.New(templates.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	svc := service.New(ix.Reader, ix)
	spaces := space.New(space.Config{FS: files, Service: svc})
	t.Cleanup(func() {
		if err := errors.Join(spaces.Close(), ix.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return spaces, svc, files
}

// commits returns the number of a space's commits.
func commits(svc *service.Service, name string) int {
	list, _ := svc.Commits(name) // none before the first
	return len(list)
}

// hub is a client of the service, in gRPC over HTTP/2 without TLS.
type hub struct {
	url    string
	client *http.Client
}

// newHub serves spaces on a port, as the program does, and returns a client.
func newHub(t *testing.T, spaces *space.Spaces, cfg api.Config) *hub {
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

// TestCalls makes every call of the protocol over gRPC.
func TestCalls(t *testing.T) {
	spaces, svc, _ := newSpaces(t)
	h := newHub(t, spaces, api.Config{})
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
	_, err := ask[pb.SetRequest, pb.SetResponse](t, h, "Set", &pb.SetRequest{Space: "s", Key: "none"}) // a deletion
	check("a deletion by Set", err)
	sp, at, err := spaces.Find(context.Background(), "s")
	check("find", err)
	_, err = sp.Commit(t.Context(), at)
	check("commit", err)
	before := commits(svc, "s")
	check("multiset", h.multiSet(t, &pb.MultiSetRequest{Space: "s", Key: "b", Embedding: embedding(1, 2, 4)},
		&pb.MultiSetRequest{Space: "s", Key: "c", Embedding: embedding(9, 9, 9)}, &pb.MultiSetRequest{Space: "s", Key: "d", Embedding: embedding(7, 8, 9)}))
	check("multiset of nothing", h.multiSet(t))
	if got := commits(svc, "s") - before; got != 1 {
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
	_, err = ask[pb.DeleteRequest, pb.SetResponse](t, h, "Set", &pb.DeleteRequest{Space: "s", Key: "d"})
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

// TestPast: a space is read as it was under NAME@REF, and not written there; integers
// among the keys are told as their digits.
func TestPast(t *testing.T) {
	spaces, svc, _ := newSpaces(t)
	h := newHub(t, spaces, api.Config{})
	if err := h.create(t, "s", 2); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b"} {
		if err := h.multiSet(t, &pb.MultiSetRequest{Space: "s", Key: key, Embedding: embedding(1, 2)}); err != nil {
			t.Fatal(err)
		}
	}
	first := oldest(svc, "s")
	for _, name := range []string{"s@main~1", "s@" + first} {
		if got, err := h.all(t, name); err != nil || got != "a[1 2] " {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if err := h.set(t, "s@"+first, "c", 1, 2); connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("a write to a commit: %v", err)
	}
	if got, err := h.nearest(t, &pb.NearestNeighborRequest{Space: "s@" + first, Key: "a", Num: 5}); err != nil || got != "" {
		t.Errorf("neighbours in the past: %q, %v", got, err)
	}
	sp, at, err := spaces.Find(context.Background(), "s")
	if err != nil {
		t.Fatal(err)
	}
	seven, err := space.ParseKey([]byte("7"))
	if err != nil {
		t.Fatal(err)
	}
	if err := sp.Set(t.Context(), at, space.Item{Key: seven, Vector: []float32{7, 7}}); err != nil {
		t.Fatal(err)
	}
	if got, err := h.all(t, "s"); err != nil || got != "7[7 7] a[1 2] b[1 2] " {
		t.Errorf("with an integer: %q, %v", got, err)
	}
	if _, _, err := spaces.Create(t.Context(), "cos", space.Schema{Dims: 2, Metric: "cosine"}); err != nil {
		t.Fatal(err)
	}
	if err := h.create(t, "cos", 2); err != nil {
		t.Errorf("a space that compares otherwise: %v", err)
	}
	if err := h.create(t, "s@x", 2); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("a name with @: %v", err)
	}
}

// oldest returns the first commit of a space.
func oldest(svc *service.Service, name string) string {
	list, _ := svc.Commits(name) // newest first
	return list[len(list)-1].Commit
}

// TestMistakes: what cannot be done is told by its code, and a stream that ends with a
// mistake writes nothing.
func TestMistakes(t *testing.T) {
	spaces, svc, files := newSpaces(t)
	h := newHub(t, spaces, api.Config{})
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
	if got, err := h.nearest(t, &pb.NearestNeighborRequest{Space: "s", Key: "a"}); err != nil || got != "" {
		t.Errorf("no neighbours asked for: %q, %v", got, err)
	}
	for name, tt := range map[string]struct {
		err  error
		code connect.Code
	}{
		"NaN":                    {h.set(t, "s", "a", 1, float32(math.NaN())), connect.CodeInvalidArgument},
		"infinity":               {h.multiSet(t, set("s", "a", 1, 2), set("s", "b", float32(math.Inf(1)), 1)), connect.CodeInvalidArgument},
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
	if got := commits(svc, "s"); got != 0 {
		t.Errorf("mistakes made %d commits", got)
	}
	files.Set(vfstest.Plan{Forever: true, Err: errors.New("open /var/lib/inside: broken")})
	err := h.set(t, "s", "a", 1, 2)
	files.Set(vfstest.Plan{})
	if connect.CodeOf(err) != connect.CodeInternal || strings.Contains(err.Error(), "inside") {
		t.Errorf("an error of the disk: %v", err)
	}
}

// TestAccess: the door asks for the API's secret, as clients of gRPC understand.
func TestAccess(t *testing.T) {
	spaces, _, _ := newSpaces(t)
	h := newHub(t, spaces, api.Config{Secret: contract.NewSecret("sesame")})
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
	spaces, _, _ := newSpaces(f)
	if _, _, err := spaces.Create(context.Background(), "s", space.Schema{Dims: 2}); err != nil {
		f.Fatal(err)
	}
	h := api.New(api.Config{Insecure: true, Routes: embeddinghub.Routes(spaces, slog.New(slog.DiscardHandler))}, (*service.Service)(nil))
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
