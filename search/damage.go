package search

import (
	"errors"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
)

// harm is what is known to be damaged of an open snapshot.
type harm struct {
	mu    sync.Mutex
	slots int                 // number of harmed slots when ids was made
	texts map[string]struct{} // documents whose text cannot be read
	ids   []string            // documents concerned, ascending
	fresh bool                // ids holds all of texts
}

// Harmed returns the slots of the store, or beyond its end, that cannot be
// read, as far as that is known: bad records come to light when they are first
// read. In order.
func (s *Snapshot) Harmed() []uint32 {
	if s.vecs == nil {
		return nil
	}
	slots := s.vecs.Damaged()
	for slot := s.vecs.Len(); slot < s.view.SlotEnd(); slot++ {
		slots = append(slots, slot)
	}
	return slots
}

// Damaged returns the ids of the snapshot's documents of which a vector, of
// whatever name, or the text is known to be damaged, ascending: answers may leave
// them out.
func (s *Snapshot) Damaged() []string {
	slots := s.Harmed()
	s.harm.mu.Lock()
	defer s.harm.mu.Unlock()
	if len(slots) == s.harm.slots && (s.harm.fresh || len(s.harm.texts) == 0) {
		return s.harm.ids
	}
	ids := make(map[string]struct{})
	maps.Copy(ids, s.harm.texts)
	for _, e := range s.view.Using(slots) {
		ids[e.ID] = struct{}{}
	}
	before := len(s.harm.ids)
	s.harm.slots, s.harm.fresh, s.harm.ids = len(slots), true, slices.Sorted(maps.Keys(ids))
	if n := len(s.harm.ids); n > before {
		s.r.log.Error("documents are damaged: searches go on without them; index the commit again to mend them",
			"domain", s.d.Name(), "commit", s.real, "documents", n, "ids", s.harm.ids[:min(n, 10)])
	}
	return s.harm.ids
}

// noteText notes that the text of a document cannot be read, which has the
// commit whose file it is in looked over when it is indexed again.
func (s *Snapshot) noteText(id string, err error) {
	if bad, ok := errors.AsType[*snapshot.CorruptError](err); ok {
		s.d.Suspect(bad.File)
	}
	s.harm.mu.Lock()
	defer s.harm.mu.Unlock()
	if _, known := s.harm.texts[id]; known {
		return
	}
	if s.harm.texts == nil {
		s.harm.texts = make(map[string]struct{})
	}
	s.harm.texts[id] = struct{}{}
	s.harm.fresh = false
}

// Vectors returns the snapshot's vectors as graphs and scans read them: one
// that is damaged is farther from everything than any other.
func (s *Snapshot) Vectors() hnsw.Vectors { return whole{s.vecs} }

// graphVectors returns the same with codes of the graph's slots, by which a
// search of the graph is several times faster.
func (s *Snapshot) graphVectors() (hnsw.Vectors, error) {
	codes, err := s.graphFile.graphCodes(s.vecs)
	if codes == nil || err != nil {
		return s.Vectors(), err
	}
	return coded{whole{s.vecs}, codes}, nil
}

// coded is a store without its damaged vectors, with codes. (A damaged vector's
// are zeros, and those that are known to be damaged are not live.)
type coded struct {
	whole
	codes *vecstore.Codes
}

func (c coded) Codes() vector.Planes { return c.codes.Codes() }

// whole is a store without its damaged vectors.
type whole struct{ *vecstore.Store }

// Dots is [vecstore.Store.Dots], with NaN, which a search takes for the least
// product, for damaged vectors.
func (w whole) Dots(q []float32, slots []uint32, dst []float32) error {
	err := w.Store.Dots(q, slots, dst)
	if err == nil || !w.lost(err, slots...) {
		return err
	}
	for i := range slots {
		if err := w.Store.Dots(q, slots[i:i+1], dst[i:i+1]); err != nil {
			if !w.lost(err, slots[i]) {
				return err
			}
			dst[i] = float32(math.NaN())
		}
	}
	return nil
}

// Read is [vecstore.Store.Read], at unit length where only directions count.
func (w whole) Read(slot uint32, dst []float32) error {
	err := w.Store.Read(slot, dst)
	if c := w.Config(); err == nil && c.Metric == vecstore.Cosine && !c.Normalized {
		vector.Normalize(dst)
	}
	return err
}

// lost reports whether the error of reading slots is that one of them is
// damaged or beyond the end of a file that was cut.
func (w whole) lost(err error, slots ...uint32) bool {
	return errors.Is(err, vecstore.ErrCorrupt) || slices.Max(slots) >= w.Len()
}

// live returns which slots may be hits of a walk through the graph.
func (s *Snapshot) live() func(slot uint32) bool {
	bad := s.Harmed()
	if len(bad) == 0 {
		return s.view.Live
	}
	return func(slot uint32) bool {
		_, harmed := slices.BinarySearch(bad, slot)
		return !harmed && s.view.Live(slot)
	}
}

// sound returns the hits whose vectors could be read.
func sound(hits []hnsw.Hit) []hnsw.Hit {
	return slices.DeleteFunc(hits, func(h hnsw.Hit) bool { return math.IsInf(float64(h.Dot), -1) })
}

// Readable returns those of the slots whose vectors can be read; it reads them
// all.
func (s *Snapshot) Readable(slots []uint32) ([]uint32, error) {
	if s.vecs == nil {
		return slots, nil
	}
	q, dots := make([]float32, s.vecs.Dim()), make([]float32, len(slots))
	if err := s.Vectors().Dots(q, slots, dots); err != nil {
		return nil, err
	}
	good := slots[:0:0]
	for i, slot := range slots {
		if dots[i] == dots[i] {
			good = append(good, slot)
		}
	}
	return good, nil
}

// ReadVector reads the vector of a slot into dst; false if it is damaged.
func (s *Snapshot) ReadVector(slot uint32, dst []float32) (bool, error) {
	switch err := s.vecs.Read(slot, dst); {
	case err == nil:
		return true, nil
	case (whole{s.vecs}).lost(err, slot):
		return false, nil
	default:
		return false, catalog.StoreError(err)
	}
}
