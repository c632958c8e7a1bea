package embeddinghub

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"

	"connectrpc.com/connect"

	"github.com/vectorlink/vectorlink/door/embeddinghub/pb"
	"github.com/vectorlink/vectorlink/service"
)

// Limits: a message of a client has maxMessage bytes at most, which holds the longest
// vector and key, and a search maxNeighbours results.
const (
	maxMessage    = 1 << 20
	maxNeighbours = 10_000
)

// Item is a key and its vector.
type Item struct {
	Key    string
	Vector []float32
}

// Spaces is what the door needs of spaces. Its methods may be called by many
// goroutines at once, and wrap the errors of package contract.
type Spaces interface {
	// Create makes a space of vectors of so many dimensions, if it is not there.
	Create(ctx context.Context, name string, dims int) error
	// Check returns an error if there is no such space.
	Check(ctx context.Context, name string) error
	Delete(ctx context.Context, name string) error
	// Freeze ends the writes to a space; later ones return ErrFrozen.
	Freeze(ctx context.Context, name string) error
	// Get returns the vector of a key, nil for none.
	Get(ctx context.Context, name, key string) ([]float32, error)
	// Set and Remove write one key, SetAll and RemoveAll many as one commit: none of
	// them if the sequence yields an error.
	Set(ctx context.Context, name string, item Item) error
	Remove(ctx context.Context, name, key string) error
	SetAll(ctx context.Context, name string, items iter.Seq2[Item, error]) error
	RemoveAll(ctx context.Context, name string, keys iter.Seq2[string, error]) error
	// Nearest returns the keys nearest to that of a key, without it, or to a vector,
	// nearest first.
	Nearest(ctx context.Context, name, key string, vector []float32, n int) ([]string, error)
	// Items yields all of a space as it is at one moment.
	Items(ctx context.Context, name string) iter.Seq2[Item, error]
}

// ErrFrozen is the error of a write to a space that was frozen.
var ErrFrozen = errors.New("Cannot write to immutable space") // the original's words

// door answers the calls.
type door struct {
	spaces Spaces
	log    *slog.Logger
}

// Routes returns what the door answers to: the procedures of the service.
func Routes(spaces Spaces, log *slog.Logger) []service.Route {
	d := &door{spaces, log}
	return []service.Route{
		unary(d, "CreateSpace", d.createSpace),
		unary(d, "CheckSpace", d.checkSpace),
		unary(d, "DeleteSpace", d.deleteSpace),
		unary(d, "FreezeSpace", d.freezeSpace),
		unary(d, "Set", d.set),
		unary(d, "Get", d.get),
		unary(d, "Delete", d.delete),
		unary(d, "NearestNeighbor", d.nearest),
		streaming("MultiSet", func(path string) *connect.Handler {
			return connect.NewClientStreamHandler(path, d.multiSet, options...)
		}),
		streaming("MultiDelete", func(path string) *connect.Handler {
			return connect.NewClientStreamHandler(path, d.multiDelete, options...)
		}),
		streaming("MultiGet", func(path string) *connect.Handler {
			return connect.NewBidiStreamHandler(path, d.multiGet, options...)
		}),
		streaming("Download", func(path string) *connect.Handler {
			return connect.NewServerStreamHandler(path, d.download, options...)
		}),
	}
}

var options = []connect.HandlerOption{connect.WithReadMaxBytes(maxMessage)}

// Service is the name of the service; its procedures are paths below it.
const Service = "/featureform.embedding.proto.EmbeddingHub/"

// route returns the route of a procedure.
func route(path string, h http.Handler, streams bool) service.Route {
	return service.Route{Path: path, Methods: []string{http.MethodPost}, Streams: streams, Answer: func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}}
}

func streaming(name string, handler func(path string) *connect.Handler) service.Route {
	return route(Service+name, handler(Service+name), true)
}

func unary[Req, Res any](d *door, name string, call func(context.Context, *Req) (*Res, error)) service.Route {
	return route(Service+name, connect.NewUnaryHandler(Service+name, func(ctx context.Context, req *connect.Request[Req]) (*connect.Response[Res], error) {
		res, err := call(ctx, req.Msg)
		if err != nil {
			return nil, d.coded(err)
		}
		return connect.NewResponse(res), nil
	}, options...), false)
}

func (d *door) createSpace(ctx context.Context, req *pb.CreateSpaceRequest) (*pb.CreateSpaceResponse, error) {
	return &pb.CreateSpaceResponse{}, d.spaces.Create(ctx, req.Name, int(min(req.Dims, 1<<30)))
}

func (d *door) checkSpace(ctx context.Context, req *pb.CheckSpaceRequest) (*pb.CheckSpaceResponse, error) {
	return &pb.CheckSpaceResponse{}, d.spaces.Check(ctx, req.Name)
}

func (d *door) deleteSpace(ctx context.Context, req *pb.DeleteSpaceRequest) (*pb.DeleteSpaceResponse, error) {
	return &pb.DeleteSpaceResponse{}, d.spaces.Delete(ctx, req.Name)
}

func (d *door) freezeSpace(ctx context.Context, req *pb.FreezeSpaceRequest) (*pb.FreezeSpaceResponse, error) {
	return &pb.FreezeSpaceResponse{}, d.spaces.Freeze(ctx, req.Name)
}

// set sets a key. The package sends a deletion as this call, without an embedding.
func (d *door) set(ctx context.Context, req *pb.SetRequest) (*pb.SetResponse, error) {
	if req.Embedding == nil {
		return &pb.SetResponse{}, d.spaces.Remove(ctx, req.Space, req.Key)
	}
	return &pb.SetResponse{}, d.spaces.Set(ctx, req.Space, Item{req.Key, req.Embedding.Values})
}

func (d *door) delete(ctx context.Context, req *pb.DeleteRequest) (*pb.DeleteResponse, error) {
	return &pb.DeleteResponse{}, d.spaces.Remove(ctx, req.Space, req.Key)
}

// get answers with an empty embedding where there is no such key, as the original
// server did.
func (d *door) get(ctx context.Context, req *pb.GetRequest) (*pb.GetResponse, error) {
	v, err := d.spaces.Get(ctx, req.Space, req.Key)
	return &pb.GetResponse{Embedding: &pb.Embedding{Values: v}}, err
}

func (d *door) nearest(ctx context.Context, req *pb.NearestNeighborRequest) (*pb.NearestNeighborResponse, error) {
	var vector []float32
	if req.Embedding != nil {
		vector = append([]float32{}, req.Embedding.Values...)
	}
	switch {
	case (req.Key == "") == (req.Embedding == nil):
		return nil, invalid("either a key or an embedding must be given")
	case req.Num < 0 || req.Num > maxNeighbours:
		return nil, invalid("num must be from 0 to %d", maxNeighbours)
	case req.Num == 0:
		return &pb.NearestNeighborResponse{}, d.spaces.Check(ctx, req.Space)
	}
	keys, err := d.spaces.Nearest(ctx, req.Space, req.Key, vector, int(req.Num))
	return &pb.NearestNeighborResponse{Keys: keys}, err
}

// received yields what a client streams, after the first message. All of it must be of
// the first one's space.
func received[M any, T any](stream *connect.ClientStream[M], first string, space func(*M) string, value func(*M) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for more := true; more; more = stream.Receive() {
			v, err := value(stream.Msg())
			if err == nil && space(stream.Msg()) != first {
				err = invalid("a stream writes to one space: %q is another than %q", space(stream.Msg()), first)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
		if err := stream.Err(); err != nil {
			var none T
			yield(none, err)
		}
	}
}

// multiSet sets what is streamed, as one commit.
func (d *door) multiSet(ctx context.Context, stream *connect.ClientStream[pb.MultiSetRequest]) (*connect.Response[pb.MultiSetResponse], error) {
	if stream.Receive() {
		name := stream.Msg().Space
		err := d.spaces.SetAll(ctx, name, received(stream, name, (*pb.MultiSetRequest).GetSpace, func(m *pb.MultiSetRequest) (Item, error) {
			if m.Embedding == nil {
				return Item{}, invalid("the key %.100q has no embedding", m.Key)
			}
			return Item{m.Key, m.Embedding.Values}, nil
		}))
		if err != nil {
			return nil, d.coded(err)
		}
	}
	if err := stream.Err(); err != nil {
		return nil, d.coded(err)
	}
	return connect.NewResponse(&pb.MultiSetResponse{}), nil
}

// multiDelete deletes what is streamed, as one commit.
func (d *door) multiDelete(ctx context.Context, stream *connect.ClientStream[pb.MultiDeleteRequest]) (*connect.Response[pb.MultiDeleteResponse], error) {
	if stream.Receive() {
		name := stream.Msg().Space
		err := d.spaces.RemoveAll(ctx, name, received(stream, name, (*pb.MultiDeleteRequest).GetSpace, func(m *pb.MultiDeleteRequest) (string, error) { return m.Key, nil }))
		if err != nil {
			return nil, d.coded(err)
		}
	}
	if err := stream.Err(); err != nil {
		return nil, d.coded(err)
	}
	return connect.NewResponse(&pb.MultiDeleteResponse{}), nil
}

// multiGet answers each key as it comes, in order.
func (d *door) multiGet(ctx context.Context, stream *connect.BidiStream[pb.MultiGetRequest, pb.MultiGetResponse]) error {
	for {
		req, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return d.coded(err)
		}
		v, err := d.spaces.Get(ctx, req.Space, req.Key)
		if err != nil {
			return d.coded(err)
		}
		if err := stream.Send(&pb.MultiGetResponse{Embedding: &pb.Embedding{Values: v}}); err != nil {
			return err
		}
	}
}

// download streams all of a space.
func (d *door) download(ctx context.Context, req *connect.Request[pb.DownloadRequest], stream *connect.ServerStream[pb.DownloadResponse]) error {
	for item, err := range d.spaces.Items(ctx, req.Msg.Space) {
		if err != nil {
			return d.coded(err)
		}
		if err := stream.Send(&pb.DownloadResponse{Key: item.Key, Embedding: &pb.Embedding{Values: item.Vector}}); err != nil {
			return err
		}
	}
	return nil
}
