package search

import (
	"context"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/snapshot"
)

// BundleRequest asks for the snapshot file of a commit.
type BundleRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    Ref
	Space  []byte // see bundle.Contents
}

// Bundle calls use with what writes the snapshot file of a commit, which holds until
// it returns: whatever is merged or removed meanwhile, the file is of one moment.
func (r *Reader) Bundle(ctx context.Context, req BundleRequest, use func(commit string, w *bundle.Writer) error) error {
	d, commit, s, err := r.Serve(ctx, req.Domain, req.Ref)
	if err != nil {
		return err
	}
	defer s.Release()
	c := bundle.Contents{View: s.view, Vectors: s.vecs, Graph: s.Graph(), Space: req.Space}
	text, err := r.aloneText(ctx, s)
	if err != nil {
		return err
	}
	if text != nil {
		defer text.release()
		c.Text = text.res.(*openText).segment
	}
	if req.Ref.Commit == "" {
		c.Branch = req.Ref.Branch // a mark may have put it there
	}
	if info, ok := d.State().Commit(commit); ok && info.Kind == snapshot.Alias {
		c.Alias = &info.Header
	}
	w, err := bundle.New(c)
	if err != nil {
		return err
	}
	if _, err := w.Size(); err != nil {
		return catalog.StoreError(err)
	}
	return use(commit, w)
}

// aloneText leases the full text of a snapshot that one checkpoint makes, which is that of
// its snapshot file too; nil for others, and where there are no words.
func (r *Reader) aloneText(ctx context.Context, s *Snapshot) (*lease, error) {
	if len(s.files) != 1 || s.view.Header().Kind != snapshot.Checkpoint {
		return nil, nil
	}
	l, err := r.leaseText(ctx, s.files[0])
	if err != nil {
		return nil, err
	}
	if t := l.res.(*openText); t.segment.Count() == 0 || len(t.lost) > 0 {
		l.release()
		return nil, nil
	}
	return l, nil
}

// OpenBundle returns a Reader of a snapshot file, which was checked. It reads the
// vectors once, so that answers know from the beginning which are damaged.
func OpenBundle(ctx context.Context, cfg ReaderConfig, file *bundle.File) (_ *Reader, err error) {
	cfg.FS = file
	r, err := OpenReadOnly(cfg)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = r.Close() // opened for reading: nothing to lose
		}
	}()
	m := file.Manifest()
	_, _, s, err := r.Serve(ctx, m.Domain, Ref{Commit: m.Commit})
	if err != nil {
		return nil, err
	}
	defer s.Release()
	slots := make([]uint32, s.view.SlotEnd())
	for i := range slots {
		slots[i] = uint32(i)
	}
	_, err = s.Readable(slots)
	return r, err
}
