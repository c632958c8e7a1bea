package docdb_test

import (
	"testing"

	"github.com/vectorlink/vectorlink/docdb"
)

// FuzzParseMetadata: usable metadata has a query, unusable a reason.
func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte(`{"embedding":{"query":"q","template":"t"}}`))
	f.Add([]byte(`{"embedding":[]}`))
	f.Add([]byte(` null`))
	f.Fuzz(func(t *testing.T, metadata []byte) {
		class, ok := docdb.ParseMetadata(metadata)
		if ok && (class.Query == "") != (class.Err != nil) || !ok && class != (docdb.Class{}) {
			t.Errorf("%q: %+v, %v", metadata, class, ok)
		}
	})
}
