package api_test

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
)

func b64(v ...float32) string {
	data, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(data)
}

// TestSimilarRequests checks what /similar asks of the indexer.
func TestSimilarRequests(t *testing.T) {
	e := newEnv(t)
	byID := search.SimilarRequest{Domain: "a/b", Ref: search.Ref{Commit: "k7"}, ID: "x", Options: search.Options{Page: search.Page{Count: 10}}}
	all := byID
	all.Page = search.Page{Start: 2, Count: 3}
	all.IncludeSelf, all.Snippet, all.Ef = true, true, 7
	all.Filter = search.Filter{Types: []string{"T"}, IDs: []string{"y"}}
	byIDs := byID
	byIDs.ID, byIDs.IDs = "", []string{"x", "y,z"}
	byText := byID
	byText.ID, byText.Text = "", "x"
	byVector := byID
	byVector.ID, byVector.Vector = "", []float32{0.5, -1, 0}
	odd := byVector // its base64 has a + and a /
	odd.Vector = []float32{math.Float32frombits(0x3efbffbe), math.Float32frombits(0x3fbefbff)}
	const least = "/similar?domain=a/b&commit=k7"
	post := func(body string) request {
		return request{method: "POST", target: least, media: "application/json", body: body}
	}
	tests := []struct {
		name string
		req  request
		want any
	}{
		{"id", request{target: least + "&id=x"}, byID},
		{"id in JSON", post(`{"id":"x"}`), byID},
		{"id over text and vector", post(`{"id":"x","text":"y","vector":[1]}`), byID},
		{"all", request{target: least + "&id=x&start=2&count=3&include_self=true&snippet=true&ef=7&doc_type=T&doc_id=y"}, all},
		{"all in JSON", post(`{"id":"x","start":2,"count":3,"include_self":true,"snippet":true,"ef":7,"doc_type":["T"],"doc_id":["y"]}`), all},
		{"ids", request{target: least + "&ids=x&ids=y,z"}, byIDs},
		{"ids with brackets", request{target: least + "&ids[1]=y,z&ids[0]=x&id="}, byIDs},
		{"ids in JSON", post(`{"ids":["x","y,z"],"text":"t"}`), byIDs},
		{"text", request{target: least + "&text=x"}, byText},
		{"text in JSON", post(`{"text":"x","id":"","vector":[1]}`), byText},
		{"vector", post(`{"vector":[0.5,-1,0]}`), byVector},
		{"vector_b64", post(`{"vector_b64":"` + b64(0.5, -1, 0) + `"}`), byVector},
		{"vector_b64 in the query", request{target: least + "&vector_b64=" + url.QueryEscape(b64(0.5, -1, 0))}, byVector},
		{"vector_b64 without padding", post(`{"vector_b64":"` + strings.TrimRight(b64(0.5, -1, 0), "=") + `"}`), byVector},
		{"vector_b64 odd", post(`{"vector_b64":"` + b64(odd.Vector...) + `"}`), odd},
		{"vector_b64 for URLs", request{target: least + "&vector_b64=" + strings.NewReplacer("+", "-", "/", "_").Replace(b64(odd.Vector...))}, odd},
	}
	if s := b64(odd.Vector...); !strings.ContainsAny(s, "+/") {
		t.Fatalf("the odd vector is %s, which is not odd", s)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e.do(tt.req).wantBody(t, "[]")
			wantAsked(t, e.last(t), tt.want)
		})
	}
}

func TestSimilarRefusals(t *testing.T) {
	e := newEnv(t)
	const least = "/similar?domain=a/b&commit=k7"
	inf := float32(math.Inf(1))
	tests := []struct {
		name   string
		body   string
		status int
		word   string
	}{
		{"nothing", `{}`, 400, "id"},
		{"empty", `{"id":"","text":"","vector_b64":"","vector":null}`, 400, "id"},
		{"id and ids", `{"id":"x","ids":["y"]}`, 400, "ids"},
		{"empty ids", `{"ids":["",""]}`, 400, "id"},
		{"ids of numbers", `{"ids":[1]}`, 422, "ids"},
		{"too many ids", `{"ids":["x"` + strings.Repeat(`,"y"`, 1000) + `]}`, 400, "ids"},
		{"empty vector", `{"vector":[]}`, 400, "vector"},
		{"text as vector", `{"vector":"x"}`, 422, "vector"},
		{"null in vector", `{"vector":[1,null]}`, 422, "vector"},
		{"text in vector", `{"vector":[1,"2"]}`, 422, "vector"},
		{"vector beyond float32", `{"vector":[1e39]}`, 400, "vector"},
		{"vector beyond float64", `{"vector":[1e999]}`, 400, "vector"},
		{"not base64", `{"vector_b64":"!"}`, 400, "vector_b64"},
		{"cut", `{"vector_b64":"AAAA"}`, 400, "vector_b64"},
		{"not a number", `{"vector_b64":"` + b64(1, float32(math.NaN())) + `"}`, 400, "vector_b64"},
		{"infinite", `{"vector_b64":"` + b64(1, inf) + `"}`, 400, "vector_b64"},
		{"flag", `{"id":"x","include_self":1}`, 422, "include_self"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e.postJSON(least, tt.body).wantError(t, tt.status, "", tt.word)
			e.untouched(t)
		})
	}
	e.get(least).wantError(t, 400, "missing_parameter", "id")
	for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"} {
		e.do(request{method: "POST", target: least, media: media, body: `{"id":"x"}`}).wantError(t, 415, "unsupported_media_type", "Content-Type")
	}
	e.postJSON(least, "").wantError(t, 400, "bad_request")
	e.err = contract.ErrConflict // another dimension
	e.postJSON(least, `{"vector":[1]}`).wantError(t, 409, "conflict")
}
