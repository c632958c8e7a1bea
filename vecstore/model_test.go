package vecstore_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestModel runs random operations against a slice and a map.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.SampledFrom([]int{2, 128, 384, 1200}).Draw(t, "dim")
		p := vecstore.NewPool(4 * 24576)
		m := vfstest.NewMem()
		s, err := vecstore.Create(m, file, config(dim), p)
		check(t, err)
		var ids []int              // by slot; -1 where the record is damaged
		slotOf := map[int]uint32{} // by id, the damaged ones left out
		floor := 0                 // slots that commits refer to
		drawID := rapid.IntRange(0, 60)

		reopen := func(t *rapid.T) {
			check(t, s.Close())
			s, err = vecstore.Open(m, file, config(dim), p)
			check(t, err)
			check(t, s.Recover(uint32(floor)))
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				batchIDs := rapid.SliceOfN(drawID, 0, 12).Draw(t, "ids")
				got, err := s.Append(batch(dim, batchIDs...))
				check(t, err)
				for i, id := range batchIDs {
					if _, ok := slotOf[id]; !ok {
						slotOf[id] = uint32(len(ids))
						ids = append(ids, id)
					}
					if got[i] != slotOf[id] {
						t.Fatalf("Append(%v) = %v, want slot %d for %d", batchIDs, got, slotOf[id], id)
					}
				}
			},
			"commit": func(t *rapid.T) { floor = len(ids) },
			"reopen": reopen,
			"tear": func(t *rapid.T) {
				check(t, s.Close())
				cut := rapid.IntRange(0, len(ids)-floor).Draw(t, "cut")
				data, err := m.ReadFile(file)
				check(t, err)
				junk := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "junk")
				// Lose the last records that nobody has relied on.
				keep := len(ids) - cut
				if cut > 0 {
					data = data[:recordAt(data, dim, keep)]
				}
				m.WriteFile(file, append(data, junk...))
				for _, id := range ids[keep:] {
					delete(slotOf, id)
				}
				ids = ids[:keep]
				s, err = vecstore.Open(m, file, config(dim), p)
				check(t, err)
				check(t, s.Recover(uint32(floor)))
			},
			"damage": func(t *rapid.T) {
				if floor == 0 {
					t.Skip("nothing committed")
				}
				slot := rapid.IntRange(0, floor-1).Draw(t, "slot")
				if ids[slot] < 0 {
					t.Skip("damaged already")
				}
				data, err := m.ReadFile(file)
				check(t, err)
				at := recordAt(data, dim, slot) + rapid.IntRange(0, 4*dim+31).Draw(t, "byte")
				f, err := m.Open(file, vfs.ReadWrite)
				check(t, err)
				_, err = f.WriteAt([]byte{data[at] ^ 0x10}, int64(at))
				check(t, errors.Join(err, f.Sync(), f.Close()))
				delete(slotOf, ids[slot])
				ids[slot] = -1
				reopen(t)
			},
			"": func(t *rapid.T) {
				if int(s.Len()) != len(ids) {
					t.Fatalf("Len = %d, want %d", s.Len(), len(ids))
				}
				id := drawID.Draw(t, "id")
				slot, ok := s.Lookup(key(id))
				want, wantOK := slotOf[id]
				if ok != wantOK || ok && slot != want {
					t.Fatalf("Lookup(%d) = %d, %t, want %d, %t", id, slot, ok, want, wantOK)
				}
				if len(ids) == 0 {
					return
				}
				at := rapid.IntRange(0, len(ids)-1).Draw(t, "slot")
				v := make([]float32, dim)
				err := s.Read(uint32(at), v)
				if id := ids[at]; id < 0 {
					if !errors.Is(err, vecstore.ErrCorrupt) {
						t.Fatalf("Read(%d) of a damaged slot = %v", at, err)
					}
				} else if err != nil || !slices.Equal(v, vec(id, dim)) {
					t.Fatalf("slot %d does not read as %d: %v", at, id, err)
				}
				if st := p.Stats(); st.Used > st.Limit || st.Loaded != 0 {
					t.Fatalf("pool: %+v", st)
				}
			},
		})
		check(t, s.Close())
		if st := p.Stats(); st.Used != 0 {
			t.Fatalf("pool after Close: %+v", st)
		}
	})
}

func check(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// recordAt returns where a slot's record starts, by FORMAT.md.
func recordAt(data []byte, dim, slot int) int {
	pageSize := int(data[12]) | int(data[13])<<8 | int(data[14])<<16
	record := (4*dim + 36 + 63) / 64 * 64
	perPage := pageSize / record
	return 4096 + slot/perPage*pageSize + slot%perPage*record
}
