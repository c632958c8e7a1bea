package api

import (
	"net/http"
	"strconv"
)

// damagedDocuments is the header that says of how many documents of the served
// commit a part is damaged: they may be missing from the answer.
const damagedDocuments = "X-Damaged-Documents"

// harmed says that documents may be missing from the answer that follows.
func harmed(w http.ResponseWriter, ids []string) {
	if len(ids) > 0 {
		w.Header().Set(damagedDocuments, strconv.Itoa(len(ids)))
	}
}
