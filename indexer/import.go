package indexer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"sync/atomic"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// ImportRequest says what becomes of a snapshot file.
type ImportRequest struct {
	Domain string `param:"domain" kind:"domain" need:"" help:"Database that takes it in, as org/db: a new one becomes a fork."`
	// Branch gets the commit of an import into a domain that has commits; empty: main.
	Branch string `param:"branch" kind:"branch" help:"Branch that gets the documents of a database that is indexed already (default main)."`
	// Commit names that commit; empty: import- and the name of the file's commit.
	Commit string `param:"target_commit" kind:"target" name:"commit" placeholder:"ID" help:"Name of the commit that adds them (default import- and that of the file)."`
	// Begin, where not nil, is called with the file when it was checked, before anything
	// is stored. Its error ends the import.
	Begin func(*bundle.File) error
	// Restore has the file's commit stand beside those of the domain, under its own
	// name and on no branch.
	Restore bool `param:"restore" help:"Put the file's commit beside those of the database, on no branch, instead of adding documents."`
}

// ImportResult says what became of it.
type ImportResult struct {
	Domain string `json:"domain"`
	Commit string `json:"commit"` // that holds the documents now
	Branch string `json:"branch"` // whose last indexed commit it is; empty: none
	// Documents of the file: Imported are those in the commit by this, Kept those whose
	// keys the branch had, Skipped those whose vectors are damaged in the file.
	Imported int `json:"imported"`
	Kept     int `json:"kept"`
	Skipped  int `json:"skipped"`
}

// imports numbers the files that are being read.
var imports atomic.Uint64

// Import takes in a snapshot file. A domain without commits becomes what the file
// holds: the same commit on the same branch, with its graph. One with commits gets a
// commit on top of the branch's last, with the documents whose keys it lacks; where
// it lacks none, there is no commit. No text is embedded, and none that stands in
// the file is again.
//
// The file is checked whole before anything is stored; what is wrong with it is
// [contract.ErrInvalid]. It is durable when Import returns. After an error there is
// no commit; vectors that were copied stay for the next try, as those of a push do.
// It ends when ctx does.
func (ix *Indexer) Import(ctx context.Context, req ImportRequest, body io.Reader) (ImportResult, error) {
	if req.Branch == "" {
		req.Branch = contract.MainBranch
	}
	if err := checkRef("branch", req.Branch); err != nil {
		return ImportResult{}, err
	}
	file, done, err := ix.spool(body)
	if err != nil {
		return ImportResult{}, err
	}
	defer done()
	if _, err := file.Check(); err != nil {
		return ImportResult{}, err
	}
	if req.Begin != nil {
		if err := req.Begin(file); err != nil {
			return ImportResult{}, err
		}
	}
	im := &importing{ix: ix, req: req, file: file, result: ImportResult{Domain: req.Domain}}
	if err := im.open(); err != nil {
		return ImportResult{}, err
	}
	defer im.close()
	ended := make(chan struct{})
	ix.mu.RLock()
	if ix.stopCtx.Err() != nil {
		ix.mu.RUnlock()
		return ImportResult{}, contract.ErrClosed
	}
	ix.wg.Go(func() {
		defer close(ended)
		err = ix.guard(func() error { return im.run(ctx) })
	})
	ix.mu.RUnlock()
	<-ended
	if err == nil && im.fork {
		err = im.alias(ctx)
	}
	return im.result, err
}

// alias gives the commit of a fork the other name that the file knows it by.
func (im *importing) alias(ctx context.Context) error {
	name := im.file.Manifest().Alias
	if name == "" {
		return nil
	}
	info, err := snapshot.ReadInfo(im.file, snapshot.FileName(im.from.Header().Domain, name))
	switch {
	case err != nil:
		return catalog.StoreError(err)
	case info.Tag:
		return im.ix.Tag(ctx, im.req.Domain, im.result.Commit, name)
	}
	return im.ix.Assign(ctx, im.req.Domain, cmp.Or(info.Branch, contract.MainBranch), im.result.Commit, name)
}

// spool writes a body to a temporary file and opens it. done removes it.
func (ix *Indexer) spool(body io.Reader) (_ *bundle.File, done func(), err error) {
	name := tasks.IDPrefix + "import-" + strconv.FormatUint(imports.Add(1), 10) + stageSuffix
	f, err := ix.cfg.FS.Open(name, vfs.Create)
	if err != nil {
		return nil, nil, catalog.StoreError(err)
	}
	done = func() {
		if err := errors.Join(f.Close(), ix.cfg.FS.Remove(name)); err != nil {
			ix.log.Warn("an imported file was not removed; the next start does it", "file", name, "err", err)
		}
	}
	size, err := io.Copy(io.NewOffsetWriter(f, 0), body)
	var file *bundle.File
	if err == nil {
		file, err = bundle.Open(f, size)
	}
	if err != nil {
		done()
		return nil, nil, catalog.StoreError(err)
	}
	return file, done, nil
}

// importing is a snapshot file that is being taken in.
type importing struct {
	ix     *Indexer
	req    ImportRequest
	file   *bundle.File
	from   *snapshot.View
	vecs   *vecstore.Store // of the file; nil: none
	result ImportResult
	fork   bool // the domain has no commits

	d        *domain
	settings catalog.Settings
	base     *search.Snapshot // nil: the commit is the file's own
	to       *vecstore.Store
	places   []uint32 // in the domain's vectors, by slot of the file
}

// open opens the file's commit, and refuses what snapshots cannot say though their
// files can.
func (im *importing) open() (err error) {
	if im.from, err = im.file.View(); err != nil {
		return err
	}
	h := im.from.Header()
	if h.SlotEnd > 0 {
		if im.vecs, err = im.file.Vectors(); err != nil {
			im.close()
			return err
		}
	}
	if im.settings, err = catalog.ParseSettings(h.Settings); err == nil {
		err = im.sound(&h)
	}
	if err != nil {
		im.close()
		return fmt.Errorf("%w: the snapshot file: %w", contract.ErrInvalid, err)
	}
	return nil
}

func (im *importing) sound(h *snapshot.Header) error {
	if im.vecs != nil {
		cfg := im.vecs.Config()
		kept := catalog.Kept(cfg)
		if kept.Metric != im.settings.Metric || kept.Normalize != im.settings.Normalize || kept.Dim != im.settings.Dim {
			return errors.New("its vectors are not those that its settings ask for")
		}
	}
	if err := checkRef("its commit", h.Commit); err != nil {
		return err
	}
	if h.Branch != "" {
		if err := checkRef("its branch", h.Branch); err != nil {
			return err
		}
	}
	for e := range im.from.All() {
		if !utf8.ValidString(e.ID) || !utf8.ValidString(e.Type) || len(e.ID) > contract.MaxIDBytes {
			return fmt.Errorf("document %.100q has an id or a type that is too long or not UTF-8", e.ID)
		}
		if e.Fields != "" && (e.Fields[0] != '{' || !json.Valid([]byte(e.Fields)) || !utf8.ValidString(e.Fields)) {
			return fmt.Errorf("document %q has fields that are no JSON object", e.ID)
		}
	}
	return nil
}

func (im *importing) close() {
	if im.vecs != nil {
		_ = im.vecs.Close() // opened for reading: nothing to lose
	}
	_ = im.from.Close()
}

// run makes the commit, as a task that others see.
func (im *importing) run(ctx context.Context) (err error) {
	ix, h := im.ix, im.from.Header()
	_, known := ix.domain(im.req.Domain)
	im.fork = errors.Is(known, contract.ErrNotFound)
	commit, branch := h.Commit, h.Branch
	if !im.fork && !im.req.Restore {
		commit, branch = im.req.Commit, im.req.Branch
		if commit == "" {
			commit = "import-" + h.Commit
		}
		if err := checkRef("target_commit", commit); err != nil {
			return err
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	run, cancel := context.WithCancelCause(ix.stopCtx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
	j, fresh, err := ix.tasks.Start(tasks.Spec{Domain: im.req.Domain, Commit: commit, Branch: branch})
	if err != nil {
		return err
	}
	if !fresh {
		return fmt.Errorf("%w: commit %s of %s is being indexed", contract.ErrConflict, commit, im.req.Domain)
	}
	d := ix.enter(im.req.Domain)
	defer ix.leave(d)
	im.d = d
	if !j.Begin(cancel) {
		return errDomainDeleted
	}
	defer func() {
		if err == nil && im.result.Commit != commit { // nothing was to be done
			j.Discard()
			return
		}
		j.End(err)
	}()
	if err := ix.lockBranch(ctx, run, d, branch); err != nil {
		return err
	}
	defer d.unlockBranch(branch)
	request := im.settings.Request()
	if !im.fork && !im.req.Restore {
		request = catalog.SettingsRequest{}
		base, release, err := ix.takeBase(d, j, func(state *catalog.State) (string, error) {
			if err := context.Cause(run); err != nil {
				return "", err
			}
			return state.Head(branch).Commit, nil
		})
		if err != nil {
			return err
		}
		defer release()
		if im.base = base; base == nil {
			return fmt.Errorf("%w: branch %s of %s has no commit to add to", contract.ErrNotFound, branch, d.Name())
		}
	}
	if err := ix.checkSettings(request); err != nil {
		return err
	}
	settings, settled, err := ix.agree(d, request)
	if err != nil {
		return err
	}
	defer settled()
	im.settings = settings
	chosen, err := im.choose(run)
	if err != nil {
		return err
	}
	if im.base != nil && im.result.Imported == 0 {
		im.result.Commit, im.result.Branch = im.base.Commit(), branch
		return nil
	}
	return im.commit(run, j, commit, branch, chosen)
}

// choose copies the vectors of the documents that are to come, and returns these.
func (im *importing) choose(ctx context.Context) (chosen []*snapshot.Entry, err error) {
	var candidates []*snapshot.Entry
	for e := range im.from.All() {
		if im.base != nil {
			if _, there := im.base.View().LookupKey(e.Key()); there {
				im.result.Kept++
				continue
			}
		}
		candidates = append(candidates, e)
	}
	if err := im.copyVectors(ctx, candidates); err != nil {
		return nil, err
	}
	for _, e := range candidates {
		if slices.ContainsFunc(e.Chunks, func(c snapshot.Chunk) bool { return im.places[c.Slot] == vecstore.NoSlot }) {
			im.result.Skipped++
			continue
		}
		chosen = append(chosen, e)
	}
	im.result.Imported = len(chosen)
	return chosen, nil
}

// copyVectors gives the vectors of documents places in the domain's own, and all of
// the file's where the commit is: those that the graph alone needs too. One whose
// key is there already is not stored again, and a damaged one has no place.
func (im *importing) copyVectors(ctx context.Context, documents []*snapshot.Entry) (err error) {
	if im.vecs == nil || len(documents) == 0 {
		return nil
	}
	from := im.vecs.Config()
	want := from
	want.Domain = im.d.Name()
	if s, err := im.d.Readable(); err == nil && s != nil || from.Metric != im.settings.Metric.Stored() || from.Normalized != im.settings.Normalize {
		if s == nil || s.Config() != want {
			return fmt.Errorf("%w: the vectors of the snapshot file are of %s (%d dimensions, %v), which are not those of %s",
				contract.ErrConflict, from.Fingerprint, from.Dim, from.Metric, im.d.Name())
		}
	}
	if im.to, err = im.d.writableVectors(want); err != nil {
		return err
	}
	needed := make([]bool, im.vecs.Len())
	for _, e := range documents {
		for _, c := range e.Chunks {
			needed[c.Slot] = true
		}
		for _, o := range im.from.Header().Others {
			for _, c := range e.ChunksOf(o.Name) {
				needed[c.Slot] = true
			}
		}
	}
	im.places = slices.Repeat([]uint32{vecstore.NoSlot}, len(needed))
	var slots []uint32
	var keys []vecstore.Key
	var vectors [][]float32
	store := func() error {
		places, err := im.to.Append(keys, vectors)
		if err != nil {
			if err := im.d.Retire(im.to); err != nil {
				im.ix.log.Warn("close vectors", "domain", im.d.Name(), "err", err)
			}
			return catalog.StoreError(err)
		}
		for i, slot := range slots {
			im.places[slot] = places[i]
		}
		slots, keys, vectors = slots[:0], keys[:0], vectors[:0]
		return context.Cause(ctx)
	}
	for slot, need := range needed {
		if !need && im.base != nil {
			continue
		}
		key, err := im.vecs.Key(uint32(slot))
		v := make([]float32, from.Dim)
		if err == nil {
			err = im.vecs.Read(uint32(slot), v)
		}
		if errors.Is(err, vecstore.ErrCorrupt) {
			continue
		}
		if err != nil {
			return catalog.StoreError(err)
		}
		slots, keys, vectors = append(slots, uint32(slot)), append(keys, key), append(vectors, v)
		if 4*from.Dim*len(vectors) >= importBatch {
			if err := store(); err != nil {
				return err
			}
		}
	}
	return store()
}

// importBatch is about how many bytes of vectors are stored at once.
const importBatch = 4 << 20

// commit writes the commit of the chosen documents: from then on it is there.
func (im *importing) commit(ctx context.Context, j *tasks.Job, commit, branch string, chosen []*snapshot.Entry) error {
	ix, d := im.ix, im.d
	unreadable := make(map[uint32]struct{})
	for _, slot := range im.from.UnreadableSlots() {
		if im.places[slot] != vecstore.NoSlot {
			unreadable[im.places[slot]] = struct{}{}
		}
	}
	contents := snapshot.Contents{Count: len(chosen), Unreadable: func(slot uint32) bool {
		_, yes := unreadable[slot]
		return yes
	}}
	h := im.from.Header()
	if im.base != nil {
		h = snapshot.Header{Indexed: uint32(len(chosen)), Reused: h.Chunks, Created: now().Unix()}
		contents.Skipped = slices.DeleteFunc(slices.Clone(im.base.View().Skipped()), func(k snapshot.Key) bool {
			_, came := im.from.LookupKey(k)
			return came
		})
	} else {
		contents.Skipped = im.skipped(chosen)
		if im.fork {
			contents.Graph = im.graph()
		}
	}
	h.Kind, h.Domain, h.Commit, h.Branch, h.Settings = snapshot.Checkpoint, d.Name(), commit, branch, im.settings.String()
	if im.base == nil && !im.fork {
		h.Branch = ""
	}
	h.Vectors = d.describe(im.to, im.settings)
	if len(contents.Graph) > 0 {
		h.SlotEnd = uint32(len(im.places)) // no vector of a dead node is cut off
	}
	var info snapshot.Info
	err := d.Update(func(tx *catalog.Tx) (err error) {
		// What removes a commit that this builds on cancels it in an Update.
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if _, taken := tx.State().Commit(commit); taken {
			return d.taken(commit)
		}
		if im.fork && tx.State().Len() > 0 {
			return fmt.Errorf("%w: %s was indexed meanwhile", contract.ErrBusy, d.Name())
		}
		h.Seq = d.NextSeq()
		h.Others = im.others(search.StoresClustering(tx.State()))
		contents.Changed = im.entries(chosen, h.Others)
		info, err = d.write(tx, commit, func() (snapshot.Info, error) {
			if im.base == nil {
				return snapshot.Write(ix.cfg.FS, h, contents)
			}
			return im.base.View().WriteDelta(ix.cfg.FS, h, contents, d.barrier(im.base))
		})
		return err
	})
	if err != nil {
		return err
	}
	im.result.Commit, im.result.Branch = commit, h.Branch
	j.Report(func(t *Task) {
		t.Indexed, t.Documents, t.Base, t.Reused = len(chosen), int(info.Documents), info.Base, int(info.Reused)
		t.HeadMoved = h.Branch != ""
	})
	ix.considerMerge(d, commit)
	return nil
}

// skipped returns the keys of the documents that the commit does not hold as it
// should: as the file says, and those that were not chosen.
func (im *importing) skipped(chosen []*snapshot.Entry) []snapshot.Key {
	keys := slices.Clone(im.from.Skipped())
	for e := range im.from.All() {
		if len(chosen) > 0 && chosen[0] == e {
			chosen = chosen[1:]
		} else {
			keys = append(keys, e.Key())
		}
	}
	slices.SortFunc(keys, snapshot.Key.Compare)
	return slices.Compact(keys)
}

// graph returns the file's graph, if all of the file's vectors have the same slots
// in the domain; else a merge makes another.
func (im *importing) graph() []byte {
	if im.places == nil {
		return nil
	}
	for slot, place := range im.places {
		if uint32(slot) != place {
			return nil
		}
	}
	graph, err := im.from.Checkpoint().Graph()
	if err != nil {
		return nil // Check has read it
	}
	return graph
}

// others returns the vectors beside the main ones that the commit lists: those of
// its base, or of the file, and those that the domain stores.
func (im *importing) others(clustering bool) []snapshot.NamedVectors {
	names := []string{}
	from := im.from.Header().Others
	if im.base != nil {
		h := im.base.View().Header()
		from = h.Others
	}
	for _, o := range from {
		names = append(names, o.Name)
	}
	if clustering && !slices.Contains(names, search.ClusteringVectors) {
		names = append(names, search.ClusteringVectors)
	}
	others := make([]snapshot.NamedVectors, len(names))
	for i, name := range names {
		others[i] = snapshot.NamedVectors{Name: name, Vectors: im.d.describe(im.to, im.settings)}
	}
	return others
}

// entries yields the chosen documents with their places in the domain's vectors.
func (im *importing) entries(chosen []*snapshot.Entry, others []snapshot.NamedVectors) iter.Seq2[snapshot.EntryText, error] {
	return func(yield func(snapshot.EntryText, error) bool) {
		for _, e := range chosen {
			text, err := im.from.Text(e)
			et := snapshot.EntryText{Entry: *e, Text: text, Others: make([][]snapshot.Chunk, len(others))}
			et.Chunks, _ = im.placed(e.Chunks)
			for i, o := range others {
				if chunks, whole := im.placed(e.ChunksOf(o.Name)); whole {
					et.Others[i] = chunks // one whose vector is damaged goes without
				}
			}
			if !yield(et, err) || err != nil {
				return
			}
		}
	}
}

// placed returns chunks with their places, and whether all have one.
func (im *importing) placed(chunks []snapshot.Chunk) (_ []snapshot.Chunk, whole bool) {
	chunks = slices.Clone(chunks)
	for i := range chunks {
		if chunks[i].Slot = im.places[chunks[i].Slot]; chunks[i].Slot == vecstore.NoSlot {
			return nil, false
		}
	}
	return chunks, true
}
