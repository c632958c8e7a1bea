package api_test

import (
	"fmt"
	"net/http/httptest"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

func ExampleNew() {
	// In earnest this is a *service.Service.
	ix := &fake{hits: search.Hits{Commit: "k7", Hits: []search.Hit{{ID: "People/20", Distance: 0.25}}}}
	h := api.New(api.Config{SearchReady: true}, ix)

	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/search?domain=admin/star_wars&commit=k7&q=wise+old+man", nil))
	fmt.Println(w.Code, w.Header().Get("TerminusDB-Data-Version"))
	fmt.Println(w.Body)
	// Output:
	// 200 commit:k7
	// [{"id":"People/20","distance":0.25,"score":0,"found":"vector","chunk":{"index":0,"count":0,"token_start":0,"doc_token_len":0,"location":0}}]
}

func ExampleParseGraphSpec() {
	spec, err := service.ParseGraphSpec("admin/star_wars/local/branch/dev")
	fmt.Println(spec.Domain(), spec.Branch, err)
	_, err = service.ParseGraphSpec("admin/../etc")
	fmt.Println(err)
	// Output:
	// admin/star_wars dev <nil>
	// bad graphspec: segment 2 is a relative path
}
