package tasks_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// model is what a registry must know.
type model struct {
	t       *testing.T
	rng     *rand.Rand
	files   *vfstest.Mem
	r       *tasks.Registry
	jobs    map[string]*tasks.Job  // pending, by commit
	tasks   map[string]*tasks.Task // by id
	resumes map[string]bool
	n       int
}

// TestModel does random things to a registry, restarts and kills among them, and
// compares it with a map.
func TestModel(t *testing.T) {
	seeds := uint64(6)
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &model{
					t: t, rng: rand.New(rand.NewPCG(seed, 0)), files: vfstest.NewMem(), jobs: make(map[string]*tasks.Job),
					tasks: make(map[string]*tasks.Task), resumes: make(map[string]bool),
				}
				m.r = open(t, m.files)
				for range 600 {
					m.step()
				}
				m.restart(false)
				must(t, m.r.Close())
			})
		})
	}
}

func (m *model) step() {
	commit := fmt.Sprint("c", m.rng.IntN(8))
	j := m.jobs[commit]
	switch n := m.rng.IntN(100); {
	case n < 30:
		m.begin(commit)
	case n < 50 && j != nil:
		rows := m.rng.IntN(1200) * m.rng.IntN(2)
		j.Report(func(t *tasks.Task) {
			t.Tokens++
			t.Skip(make([]tasks.Skipped, rows)...)
			t.Skip(tasks.Skipped{ID: commit, Message: strings.Repeat("m", m.rng.IntN(9000))})
		})
		*m.tasks[j.ID()] = j.Task()
	case n < 75 && j != nil:
		var err error
		if n%2 == 0 {
			err = errRun
		}
		j.End(err)
		m.ended(commit, err)
	case n < 78 && j != nil:
		j.Discard()
		delete(m.tasks, j.ID())
		delete(m.jobs, commit)
	case n < 82:
		must(m.t, m.r.Cancel(domain, func(t tasks.Task, _ string) bool { return t.Commit == commit }, errRun))
		if j != nil {
			m.ended(commit, errRun)
		}
	case n < 86:
		m.n++
		task, err := m.r.Record(tasks.Task{Domain: domain, Commit: commit, Documents: m.n})
		must(m.t, err)
		m.tasks[task.ID] = &task
	case n < 92:
		time.Sleep(time.Duration(m.rng.IntN(20)) * time.Minute)
	case n < 95:
		m.restart(n%2 == 0)
	}
	m.check()
}

func (m *model) begin(commit string) {
	spec := pull(commit)
	if m.rng.IntN(2) == 0 {
		spec = push(commit)
	}
	j, fresh, err := m.r.Start(spec)
	must(m.t, err)
	if have := m.jobs[commit]; have != nil {
		if fresh || j != have {
			m.t.Fatalf("%s: another task than the running one", commit)
		}
		return
	}
	if !fresh {
		m.t.Fatalf("%s: a running task, and none is known", commit)
	}
	task := j.Task()
	m.jobs[commit], m.tasks[j.ID()], m.resumes[j.ID()] = j, &task, spec.Resume != nil
}

func (m *model) ended(commit string, err error) {
	id := m.jobs[commit].ID()
	delete(m.jobs, commit)
	t := m.tasks[id]
	t.State, t.Percentage, t.Finished = tasks.Complete, 100, time.Now().UTC().Round(0)
	if err != nil {
		t.State, t.Error, t.ErrorCode = tasks.Failed, err.Error(), "internal"
	}
}

// restart closes the registry, or ends its process with what is written, and
// opens it again.
func (m *model) restart(kill bool) {
	synctest.Wait() // what is to be written is
	files := m.files
	if kill {
		files = m.files.CrashClone(0, 1)
	}
	must(m.t, m.r.Close())
	m.files = files
	m.r = open(m.t, files)
	clear(m.jobs)
	for _, j := range m.r.Pending() {
		t := m.tasks[j.ID()]
		if t == nil {
			m.t.Fatalf("%+v is pending, and not known", j.Task())
		}
		if (j.Resume() != nil) != m.resumes[j.ID()] {
			m.t.Errorf("%s is resumed with %q", t.Commit, j.Resume())
		}
		*t = tasks.Task{ID: t.ID, Domain: t.Domain, Commit: t.Commit, Branch: t.Branch, State: t.State, Created: t.Created}
		m.jobs[t.Commit] = j
	}
}

func (m *model) check() {
	m.t.Helper()
	for id, want := range m.tasks {
		if !want.Finished.IsZero() && time.Since(want.Finished) > time.Hour {
			delete(m.tasks, id)
			if _, err := m.r.Find(id); err == nil {
				m.t.Errorf("%+v is kept", want)
			}
			continue
		}
		if got, err := m.r.Find(id); err != nil || !reflect.DeepEqual(got, *want) {
			m.t.Fatalf("%+v, %v; want %+v", got, err, *want)
		}
	}
	if known, unfinished, _ := m.r.Count(); known != len(m.tasks) || unfinished != len(m.jobs) {
		m.t.Fatalf("%d known, %d unfinished; want %d and %d", known, unfinished, len(m.tasks), len(m.jobs))
	}
}
