package embeddinghub

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"math"
	"net/http"
	"slices"

	"connectrpc.com/connect"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/door/embeddinghub/pb"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
)

// maxMessage bounds a message of a client: it holds the longest vector and key.
const maxMessage = 1 << 20

// door answers the calls.
type door struct {
	spaces *space.Spaces
	log    *slog.Logger
}

// Routes returns what the door answers to: the procedures of the service.
func Routes(spaces *space.Spaces, log *slog.Logger) []service.Route {
	d := &door{spaces, log}
	return []service.Route{
		unary(d, "CreateSpace", service.Push, d.createSpace),
		unary(d, "CheckSpace", service.Read, d.checkSpace),
		unary(d, "DeleteSpace", service.Admin, d.deleteSpace),
		unary(d, "FreezeSpace", service.Push, d.freezeSpace),
		unary(d, "Set", service.Push, d.set),
		unary(d, "Get", service.Read, d.get),
		unary(d, "Delete", service.Push, d.delete),
		unary(d, "NearestNeighbor", service.Read, d.nearest),
		streaming("MultiSet", service.Push, func(path string) *connect.Handler {
			return connect.NewClientStreamHandler(path, d.multiSet, options...)
		}),
		streaming("MultiDelete", service.Push, func(path string) *connect.Handler {
			return connect.NewClientStreamHandler(path, d.multiDelete, options...)
		}),
		streaming("MultiGet", service.Read, func(path string) *connect.Handler {
			return connect.NewBidiStreamHandler(path, d.multiGet, options...)
		}),
		streaming("Download", service.Read, func(path string) *connect.Handler {
			return connect.NewServerStreamHandler(path, d.download, options...)
		}),
	}
}

var options = []connect.HandlerOption{connect.WithReadMaxBytes(maxMessage)}

// Service is the name of the service; its procedures are paths below it.
const Service = "/featureform.embedding.proto.EmbeddingHub/"

// route returns the route of a procedure.
func route(path string, needs service.Scope, h http.Handler, streams bool) service.Route {
	return service.Route{Path: path, Needs: needs, Methods: []string{http.MethodPost}, Streams: streams, Answer: func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}}
}

func streaming(name string, needs service.Scope, handler func(path string) *connect.Handler) service.Route {
	return route(Service+name, needs, handler(Service+name), true)
}

func unary[Req, Res any](d *door, name string, needs service.Scope, call func(context.Context, *Req) (*Res, error)) service.Route {
	return route(Service+name, needs, connect.NewUnaryHandler(Service+name, func(ctx context.Context, req *connect.Request[Req]) (*connect.Response[Res], error) {
		res, err := call(ctx, req.Msg)
		if err != nil {
			return nil, d.coded(err)
		}
		return connect.NewResponse(res), nil
	}, options...), false)
}

// createSpace makes a space that compares by Euclidean distance. One that is there is as
// good, however it compares, if its vectors are as long.
func (d *door) createSpace(ctx context.Context, req *pb.CreateSpaceRequest) (*pb.CreateSpaceResponse, error) {
	dims := int(min(req.Dims, math.MaxInt32))
	_, _, err := d.spaces.Create(ctx, req.Name, space.Schema{Dims: dims})
	if errors.Is(err, contract.ErrConflict) {
		if sp, _, findErr := d.spaces.Find(ctx, req.Name); findErr == nil && sp.Schema().Dims == dims {
			err = nil
		}
	}
	return &pb.CreateSpaceResponse{}, err
}

func (d *door) checkSpace(ctx context.Context, req *pb.CheckSpaceRequest) (*pb.CheckSpaceResponse, error) {
	_, _, err := d.spaces.Find(ctx, req.Name)
	return &pb.CheckSpaceResponse{}, err
}

func (d *door) deleteSpace(ctx context.Context, req *pb.DeleteSpaceRequest) (*pb.DeleteSpaceResponse, error) {
	return &pb.DeleteSpaceResponse{}, d.spaces.Delete(ctx, req.Name)
}

func (d *door) freezeSpace(ctx context.Context, req *pb.FreezeSpaceRequest) (*pb.FreezeSpaceResponse, error) {
	sp, _, err := d.spaces.Find(ctx, req.Name)
	if err == nil {
		err = sp.Freeze(ctx)
	}
	return &pb.FreezeSpaceResponse{}, err
}

// set sets a key. The package sends a deletion as this call, without an embedding.
func (d *door) set(ctx context.Context, req *pb.SetRequest) (*pb.SetResponse, error) {
	if req.Embedding == nil {
		return &pb.SetResponse{}, d.remove(ctx, req.Space, req.Key)
	}
	sp, at, err := d.spaces.Find(ctx, req.Space)
	if err != nil {
		return nil, err
	}
	it, err := item(req.Key, req.Embedding)
	if err != nil {
		return nil, err
	}
	return &pb.SetResponse{}, sp.Set(ctx, at, it)
}

func (d *door) delete(ctx context.Context, req *pb.DeleteRequest) (*pb.DeleteResponse, error) {
	return &pb.DeleteResponse{}, d.remove(ctx, req.Space, req.Key)
}

func (d *door) remove(ctx context.Context, name, id string) error {
	sp, at, err := d.spaces.Find(ctx, name)
	if err != nil {
		return err
	}
	key, err := space.StringKey(id)
	if err != nil {
		return err
	}
	return sp.Delete(ctx, at, key)
}

func item(id string, e *pb.Embedding) (space.Item, error) {
	key, err := space.StringKey(id)
	return space.Item{Key: key, Vector: e.GetValues()}, err
}

func (d *door) get(ctx context.Context, req *pb.GetRequest) (*pb.GetResponse, error) {
	e, err := d.lookup(ctx, req.Space, req.Key)
	return &pb.GetResponse{Embedding: e}, err
}

// lookup returns the vector of a key, and an empty one where there is no such key, as
// the original server did.
func (d *door) lookup(ctx context.Context, name, id string) (*pb.Embedding, error) {
	sp, at, err := d.spaces.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	key, err := space.StringKey(id)
	if err != nil {
		return nil, err
	}
	it, err := sp.Get(ctx, at, key)
	if err != nil && !errors.Is(err, contract.ErrNoKey) {
		return nil, err
	}
	return &pb.Embedding{Values: it.Vector}, nil
}

func (d *door) nearest(ctx context.Context, req *pb.NearestNeighborRequest) (*pb.NearestNeighborResponse, error) {
	sp, at, err := d.spaces.Find(ctx, req.Space)
	if err != nil {
		return nil, err
	}
	asked := space.NearestRequest{N: int(req.Num)}
	switch {
	case (req.Key == "") == (req.Embedding == nil):
		return nil, invalid("either a key or an embedding must be given")
	case req.Num < 0 || req.Num > space.MaxNearest:
		return nil, invalid("num must be from 0 to %d", space.MaxNearest)
	case req.Num == 0:
		return &pb.NearestNeighborResponse{}, nil
	case req.Embedding != nil:
		asked.Vector = slices.Concat([]float32{}, req.Embedding.Values) // not nil
	default:
		key, err := space.StringKey(req.Key)
		if err != nil {
			return nil, err
		}
		asked.Keys = []space.Key{key}
	}
	hits, err := sp.Nearest(ctx, at, asked)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(hits))
	for i, hit := range hits {
		keys[i] = hit.Key.ID
	}
	return &pb.NearestNeighborResponse{Keys: keys}, nil
}

// bulk makes one commit of what a client streams, all of it of one space, and none of
// it where the stream breaks or one message is wrong.
func bulk[M any](ctx context.Context, d *door, stream *connect.ClientStream[M], name func(*M) string, add func(*space.Bulk, *M) error) error {
	if !stream.Receive() {
		return stream.Err()
	}
	first := name(stream.Msg())
	sp, at, err := d.spaces.Find(ctx, first)
	if err != nil {
		return err
	}
	b, err := sp.Bulk(ctx, at)
	if err != nil {
		return err
	}
	defer b.Abort()
	for more := true; more; more = stream.Receive() {
		if other := name(stream.Msg()); other != first {
			return invalid("a stream writes to one space: %.100q is another than %.100q", other, first)
		}
		if err := add(b, stream.Msg()); err != nil {
			return err
		}
	}
	if err := stream.Err(); err != nil {
		return err
	}
	_, err = b.Commit()
	return err
}

// multiSet sets what is streamed.
func (d *door) multiSet(ctx context.Context, stream *connect.ClientStream[pb.MultiSetRequest]) (*connect.Response[pb.MultiSetResponse], error) {
	err := bulk(ctx, d, stream, (*pb.MultiSetRequest).GetSpace, func(b *space.Bulk, m *pb.MultiSetRequest) error {
		it, err := item(m.Key, m.Embedding)
		if err != nil {
			return err
		}
		return b.Set(it)
	})
	if err != nil {
		return nil, d.coded(err)
	}
	return connect.NewResponse(&pb.MultiSetResponse{}), nil
}

// multiDelete deletes what is streamed.
func (d *door) multiDelete(ctx context.Context, stream *connect.ClientStream[pb.MultiDeleteRequest]) (*connect.Response[pb.MultiDeleteResponse], error) {
	err := bulk(ctx, d, stream, (*pb.MultiDeleteRequest).GetSpace, func(b *space.Bulk, m *pb.MultiDeleteRequest) error {
		key, err := space.StringKey(m.Key)
		if err != nil {
			return err
		}
		return b.Delete(key)
	})
	if err != nil {
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
		e, err := d.lookup(ctx, req.Space, req.Key)
		if err != nil {
			return d.coded(err)
		}
		if err := stream.Send(&pb.MultiGetResponse{Embedding: e}); err != nil {
			return err
		}
	}
}

// download streams all of a space as it is at one moment.
func (d *door) download(ctx context.Context, req *connect.Request[pb.DownloadRequest], stream *connect.ServerStream[pb.DownloadResponse]) error {
	sp, at, err := d.spaces.Find(ctx, req.Msg.Space)
	if err != nil {
		return d.coded(err)
	}
	err = sp.Items(ctx, at, nil, func(_ int, items iter.Seq2[space.Item, error]) error {
		for it, err := range items {
			if err != nil {
				return err
			}
			if err := stream.Send(&pb.DownloadResponse{Key: it.Key.ID, Embedding: &pb.Embedding{Values: it.Vector}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return d.coded(err)
	}
	return nil
}
