package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vfs"
)

const (
	// listName is the last member of an archive: what it is, and the list of its files.
	listName = "vectorlink-backup.json"
	// maxList bounds that member, maxWindow what decompression takes.
	maxList   = 256 << 20
	maxWindow = 64 << 20
)

// archive is a store that writes a compressed tar.
type archive struct {
	tar *tar.Writer
	at  time.Time
	sum Summary
}

// WriteArchive writes a backup of a data directory as a tar compressed by zstd. What is
// damaged is copied as it is, and reported.
func WriteArchive(ctx context.Context, w io.Writer, files vfs.FS, program string, report func(Finding)) (_ Summary, err error) {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return Summary{}, err
	}
	a := &archive{tar: tar.NewWriter(z), at: time.Now().UTC()}
	list, err := take(ctx, files, a, func(f Finding) {
		a.sum.Damaged++
		report(f)
	})
	if err == nil {
		a.sum.Taken = taken(a.at, program, list)
		err = a.finish(list)
	}
	if err == nil {
		err = a.tar.Close()
	}
	return a.sum, errors.Join(err, z.Close())
}

func (a *archive) newest(string) (File, bool) { return File{}, false }

func (a *archive) write(ctx context.Context, f *File, src io.ReaderAt, _ []Part) error {
	if err := a.head(f.Name, f.Size); err != nil {
		return err
	}
	h := sha256.New()
	buf := make([]byte, min(partSize, f.Size))
	for off := int64(0); off < f.Size; off += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		buf = buf[:min(int64(len(buf)), f.Size-off)]
		if err := readPart(src, buf, off); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		h.Write(buf)
		if _, err := a.tar.Write(buf); err != nil {
			return err
		}
	}
	f.Parts = []Part{wholeOf(f.Size, h)}
	a.sum.Added, a.sum.Parts = a.sum.Added+f.Size, a.sum.Parts+1
	return nil
}

// wholeOf returns the part that a hashed file is.
func wholeOf(size int64, h hash.Hash) Part { return Part{size, [sha256.Size]byte(h.Sum(nil))} }

func (a *archive) head(name string, size int64) error {
	return a.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: a.at})
}

// finish writes the list of files. Members that it does not name, or that come again,
// were copied in vain.
func (a *archive) finish(list []File) error {
	var b bytes.Buffer
	line, err := json.Marshal(a.sum.Taken)
	if err != nil {
		return err
	}
	b.Write(append(line, '\n'))
	if err := encodeFiles(&b, list); err != nil {
		return err
	}
	if err := a.head(listName, int64(b.Len())); err != nil {
		return err
	}
	_, err = a.tar.Write(b.Bytes())
	return err
}

// readArchive calls each with the members of an archive. It returns the list of files,
// and where it cannot go on, the last member that it has begun.
func readArchive(ctx context.Context, r io.Reader, each func(f File, r io.Reader) error) (t Taken, files []File, last string, err error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return t, nil, "", err
	}
	defer z.Close()
	in := tar.NewReader(z)
	damaged := func(err error) error {
		return fmt.Errorf("%w: the archive cannot be read on: %w", contract.ErrCorrupt, err)
	}
	for {
		if err := ctx.Err(); err != nil {
			return t, nil, last, context.Cause(ctx)
		}
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return t, nil, last, damaged(errors.New("it has no list of files"))
		}
		if err != nil {
			return t, nil, last, damaged(err)
		}
		last = h.Name
		if vfs.CheckName(h.Name) != nil || h.Typeflag != tar.TypeReg {
			return t, nil, last, damaged(fmt.Errorf("it holds %.80q, which is no file", h.Name))
		}
		if h.Name == listName {
			if h.Size > maxList {
				return t, nil, last, damaged(fmt.Errorf("the list of files has %d bytes", h.Size))
			}
			b, err := io.ReadAll(in)
			if err == nil {
				_, err = io.Copy(io.Discard, z) // whose checksum comes last
			}
			if err != nil {
				return t, nil, last, damaged(err)
			}
			line, rest, _ := bytes.Cut(b, []byte("\n"))
			if t, err = parseTaken(line); err == nil {
				files, err = decodeFiles(rest, nil)
			}
			return t, files, last, err
		}
		if err := each(File{Name: h.Name, Size: h.Size}, in); err != nil {
			return t, nil, last, err
		}
	}
}

// check compares what an archive has with what its list says.
func checkArchive(files []File, have map[string]Part, report func(Finding)) {
	for i := range files {
		f := &files[i]
		switch p, ok := have[f.Name]; {
		case !ok:
			report(Finding{f.Name, "it is missing in the archive"})
		case len(f.Parts) != 1 || f.Parts[0] != p || f.Size != p.Size:
			report(Finding{f.Name, "it has another hash than the list of files"})
		}
	}
}

// VerifyArchive reads an archive whole, and reports what is damaged in it.
func VerifyArchive(ctx context.Context, r io.Reader, report func(Finding)) (sum Verified, err error) {
	counted := func(f Finding) {
		sum.Damaged++
		report(f)
	}
	have := make(map[string]Part)
	_, files, last, err := readArchive(ctx, r, func(f File, r io.Reader) error {
		h := sha256.New()
		n, err := io.Copy(h, r)
		have[f.Name] = wholeOf(n, h)
		sum.Parts, sum.Bytes = sum.Parts+1, sum.Bytes+n
		if err != nil {
			err = fmt.Errorf("%w: %w", contract.ErrCorrupt, err)
		}
		return err
	})
	if errors.Is(err, contract.ErrCorrupt) {
		counted(Finding{last, err.Error()})
		return sum, nil
	}
	if err == nil {
		sum.Backups = 1
		checkArchive(files, have, counted)
	}
	return sum, err
}

// RestoreArchive puts the backup in an archive into an empty data directory, as
// [Dir.Restore] does.
func RestoreArchive(ctx context.Context, r io.Reader, to vfs.FS) (t Taken, err error) {
	err = restoring(to, func() error {
		have := make(map[string]Part)
		var files []File
		var last string
		t, files, last, err = readArchive(ctx, r, func(f File, r io.Reader) error {
			h := sha256.New()
			buf := make([]byte, partSize)
			err := create(to, &f, func(write func([]byte) error) error {
				for {
					n, err := io.ReadFull(r, buf)
					if n > 0 {
						h.Write(buf[:n])
						if err := write(buf[:n]); err != nil {
							return err
						}
					}
					switch {
					case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
						return nil
					case err != nil:
						return fmt.Errorf("%w: %w", contract.ErrCorrupt, err)
					}
				}
			})
			have[f.Name] = wholeOf(f.Size, h)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", last, err)
		}
		var bad error
		checkArchive(files, have, func(f Finding) {
			bad = errors.Join(bad, fmt.Errorf("%w: %s: %s", contract.ErrCorrupt, f.File, f.Reason))
		})
		if bad != nil {
			return bad
		}
		for i := range files {
			delete(have, files[i].Name)
		}
		for name := range have { // copied in vain
			if err := to.Remove(name); err != nil {
				return err
			}
		}
		return nil
	})
	return t, err
}
