package tasks_test

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vfs"
)

const (
	file   = "tasks.journal"
	domain = "admin/db"
)

var errRun = errors.New("the run failed")

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, files vfs.FS) *tasks.Registry {
	t.Helper()
	r, err := tasks.Open(files, file, quiet())
	must(t, err)
	t.Cleanup(func() { _ = r.Close() }) // for tests that have failed
	return r
}

// pull is a task that can run again, push one that cannot.
func pull(commit string) tasks.Spec {
	return tasks.Spec{Domain: domain, Commit: commit, Branch: "main", Resume: []byte(`{"of":"` + commit + `"}`)}
}

func push(commit string) tasks.Spec {
	return tasks.Spec{Domain: domain, Commit: commit, Branch: "main"}
}

func start(t testing.TB, r *tasks.Registry, s tasks.Spec) *tasks.Job {
	t.Helper()
	j, fresh, err := r.Start(s)
	must(t, err)
	if !fresh {
		t.Fatalf("a task for %s is running", s.Commit)
	}
	return j
}

func find(t testing.TB, r *tasks.Registry, id string) tasks.Task {
	t.Helper()
	task, err := r.Find(id)
	must(t, err)
	return task
}

func all(tasks.Task, string) bool { return true }
