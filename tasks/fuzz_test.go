package tasks_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// FuzzOpen opens a journal of records with these lines for bodies, whose
// checksums are right, and of any bytes behind them: what is read is what is
// read again from the journal that comes of it.
func FuzzOpen(f *testing.F) {
	const id = `"id":"task-0123456789abcdef0123456789abcdef"`
	f.Add([]byte(`{"task":{`+id+`,"domain":"admin/db","commit":"c1","state":"pending","created":"2026-01-02T03:04:05.6Z"},"resume":{"previous":"c0"}}`), []byte{})
	f.Add([]byte(`{"task":{`+id+`,"state":"pending","created":"2026-01-02T03:04:05.6Z"}}
{"task":{`+id+`,"state":"failed","error":"<é\u2028>","skipped":[{"id":"d/A/1","message":"\u0000"}],"skipped_total":9,"created":"2026-01-02T03:04:05.6Z","finished":"9026-01-02T03:04:05.6+01:00"}}`), []byte{0})
	f.Add([]byte(`{"task":{`+id+`,"state":"complete","percentage":1e2,"created":"9999-12-31T23:59:59-23:59","finished":"9999-12-31T23:59:59-23:59"}}`), []byte("\xf5VLT\xff"))
	f.Add([]byte(`{"task":{`+id+`,"state":"complete","created":"0000-01-01T00:00:00+23:59","finished":"9999-12-31T23:59:59Z"}}`), []byte{})
	f.Add([]byte(`{"clustering":{"domain":"admin/db","on":true}}
{"forget":"task-0123456789abcdef0123456789abcdef"}
{"clustering":{"domain":"admin/db","on":false}}`), tasks.Seal([]byte(`{}`)))
	f.Add([]byte("null\n[]\n{}\n"+`{"task":null}`), bytes.Repeat([]byte("\xf5VLT"), 20))
	f.Fuzz(func(t *testing.T, bodies, tail []byte) {
		data := tasks.Header()
		for line := range bytes.Lines(bodies) {
			data = append(data, tasks.Seal(line)...)
		}
		data = append(data, tail...)
		files := vfstest.NewMem()
		files.WriteFile(file, data)
		r := open(t, files)
		first := r.All()
		j := start(t, r, push(strings.Repeat("z", 4096))) // has it written
		must(t, r.Close())
		r = open(t, files)
		second := r.All()
		must(t, r.Close())
		if delete(second, j.ID()); !reflect.DeepEqual(first, second) {
			t.Errorf("%+v, then %+v", first, second)
		}
	})
}

// FuzzFile opens any bytes.
func FuzzFile(f *testing.F) {
	f.Add([]byte{})
	f.Add(tasks.Header())
	f.Add(append(tasks.Header(), tasks.Seal([]byte(`{"clustering":{"domain":"admin/db","on":true}}`))...))
	f.Fuzz(func(t *testing.T, data []byte) {
		files := vfstest.NewMem()
		files.WriteFile(file, data)
		r := open(t, files)
		start(t, r, pull("c1"))
		must(t, r.Close())
	})
}
