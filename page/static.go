package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
)

//go:embed tmpl static
var files embed.FS

// asset is a file of static, also as browsers rather have it.
type asset struct {
	media        string
	plain, small []byte
}

// assets holds the files by the names they are asked for, which contain their hash: a
// browser keeps them for ever. assetNames leads to these from their own names.
var assets, assetNames = loadAssets()

var media = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

func loadAssets() (map[string]asset, map[string]string) {
	byName, names := make(map[string]asset), make(map[string]string)
	err := fs.WalkDir(files, "static", func(name string, entry fs.DirEntry, err error) error {
		ext := path.Ext(name)
		if err != nil || entry.IsDir() || media[ext] == "" {
			return err
		}
		plain, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		var small bytes.Buffer
		z, _ := gzip.NewWriterLevel(&small, gzip.BestCompression)
		_, _ = z.Write(plain) // a buffer takes all
		_ = z.Close()
		sum := sha256.Sum256(plain)
		base := path.Base(name)
		hashed := strings.TrimSuffix(base, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		byName[hashed], names[base] = asset{media[ext], plain, small.Bytes()}, hashed
		return nil
	})
	if err != nil {
		panic(err) // they are in the binary
	}
	return byName, names
}

// assetName returns what a file of static is asked for by.
func assetName(name string) (string, error) {
	hashed, ok := assetNames[name]
	if !ok {
		return "", fmt.Errorf("page: there is no file %s", name)
	}
	return hashed, nil
}

// static answers with a file.
func (s *Site) static(a *answer) error {
	file, ok := assets[a.r.PathValue("file")]
	if !ok {
		return fmt.Errorf("%w: there is no such file", contract.ErrNotFound)
	}
	h := a.Header()
	h.Set("Content-Type", file.media)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := file.plain
	if strings.Contains(a.r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = file.small
	}
	a.ResponseWriter.WriteHeader(http.StatusOK)
	_, _ = a.ResponseWriter.Write(body)
	return nil
}

// Vendored is a file that others have published.
type Vendored struct {
	File, Package, Version, Path, Licence, Why string
	LicenceFile                                string `json:"licence_file"`
	SHA256                                     string
	Integrity                                  string // as the registry states it
}

// vendored lists them.
func vendored() (list []Vendored) {
	raw, err := files.ReadFile("static/vendor/VENDOR.json")
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		panic(err)
	}
	return list
}
