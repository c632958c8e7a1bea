package api_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/service"
)

// TestSlow checks the lines about requests that take long: what their time went to,
// which request of the log it was, and nothing that was asked. Requests that read no
// commit have none.
func TestSlow(t *testing.T) {
	l := pushed(t)
	for _, slow := range []time.Duration{0, time.Nanosecond, time.Hour} {
		var log bytes.Buffer
		h := api.New(api.Config{SearchReady: true, Slow: slow, Logger: slog.New(slog.NewJSONHandler(&log, nil))}, service.New(l.ix.Reader, l.ix))
		for _, target := range []string{
			"/search?mode=hybrid&doc_type=Ship&branch=main&domain=a/b&q=" + canary, "/statistics?domain=a/b", "/search?branch=main&domain=a/none&q=x",
		} {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://localhost"+target, nil))
		}
		if slow != time.Nanosecond {
			if log.Len() > 0 {
				t.Errorf("with %v: %s", slow, &log)
			}
			continue
		}
		var line map[string]any
		if err := json.Unmarshal(log.Bytes(), &line); err != nil { // which two lines are not
			t.Fatalf("%v: %s", err, &log)
		}
		for key, want := range map[string]any{"level": "WARN", "msg": "slow request", "route": "/search", "mode": "hybrid", "domain": "a/b"} {
			if line[key] != want {
				t.Errorf("%s is %v, want %v", key, line[key], want)
			}
		}
		sum, whole := 0.0, line["dur_ms"].(float64)
		for _, part := range []string{"wait", "embed", "open", "filter", "graph", "words", "texts"} {
			ms, ok := line[part+"_ms"].(float64)
			if !ok {
				t.Errorf("nothing is said of %s: %v", part, line)
			}
			sum += ms
		}
		if sum <= 0 || sum > whole {
			t.Errorf("the parts are %v ms of %v", sum, whole)
		}
		if line["request"] == "" || strings.Contains(log.String(), canary) {
			t.Errorf("%s", &log)
		}
	}
}

// TestPprof checks that profiles are there where they are switched on, and the command
// line never.
func TestPprof(t *testing.T) {
	for path, want := range map[string]int{"/debug/pprof": 200, "/debug/pprof/goroutine": 200, "/debug/pprof/cmdline": 404} {
		for _, on := range []bool{true, false} {
			rec := httptest.NewRecorder()
			api.New(api.Config{Profile: on}, &fake{}).ServeHTTP(rec, httptest.NewRequest("GET", "http://localhost"+path, nil))
			if !on {
				want = 404
			}
			if rec.Code != want {
				t.Errorf("%s, switched on %t: status %d, want %d", path, on, rec.Code, want)
			}
		}
	}
}
