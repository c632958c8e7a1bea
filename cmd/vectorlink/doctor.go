package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/vfs"
)

var _ = register[doctorCmd](ofFiles, "doctor", "Check what a server needs: settings, disk, database, provider, clock, limits.")

// doctorCmd looks at what a server of these settings needs, and says what to do.
type doctorCmd struct {
	ConfigFile string `name:"config" placeholder:"FILE" help:"YAML file of settings, under the names of their flags (VECTORLINK_CONFIG)."`
	Config
}

// Help is shown by doctor --help.
func (c *doctorCmd) Help() string {
	return `It takes the settings of serve, and a server may be running with them. Nothing is changed, but for
a file that is written beside the data and removed; the provider is asked for one short
text. It ends with 1 when something must be done, and with 0 where there are warnings alone.`
}

// The states of a check.
const (
	fine  = "ok"
	minor = "warn"
	wrong = "fail"
)

// diagnosis is what one check has found.
type diagnosis struct {
	Check string `json:"check"`
	State string `json:"state"`
	Says  string `json:"says"`
	Do    string `json:"do,omitempty"`
}

// doctor gathers diagnoses.
type doctor struct {
	cfg   Config
	found []diagnosis
	date  time.Time // of the database's answer, zero for none
	asked time.Time // when that came
}

func (d *doctor) add(check, state, do, says string, args ...any) {
	d.found = append(d.found, diagnosis{check, state, plainText(fmt.Sprintf(says, args...)), do})
}

// Run runs the command.
func (c *doctorCmd) Run(ctx context.Context, p *program) error {
	var bad complaints
	d := &doctor{}
	d.cfg, _ = p.readConfig(c.ConfigFile, &bad)
	for _, err := range bad {
		d.add("configuration", wrong, "correct the setting; vectorlink serve --help lists them all", "%v", err)
	}
	if len(bad) == 0 {
		d.add("configuration", fine, "", "all settings are accepted; vectorlink serve --print-config shows them")
	}
	d.directory()
	d.disk()
	d.database(ctx)
	d.provider(ctx)
	d.clock()
	d.limits()
	failed := 0
	for _, f := range d.found {
		if f.State == wrong {
			failed++
		}
		if !p.json {
			fmt.Fprintf(p.stdout, "%-5s %-14s %s\n", f.State, f.Check, f.Says)
			if f.Do != "" {
				fmt.Fprintf(p.stdout, "%-20s → %s\n", "", f.Do)
			}
		}
	}
	if p.json {
		if err := printJSON(p.stdout, d.found); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("doctor: %s to be done", count(failed, "thing"))
	}
	return nil
}

// directory checks that the data directory is there, ours, and can be written.
func (d *doctor) directory() {
	const check = "data directory"
	dir := d.cfg.DataDir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.add(check, minor, "", "%s is not there; serve makes it", dir)
		return
	case err != nil:
		d.add(check, wrong, "let the user of the server read and enter it", "%v", err)
		return
	case !info.IsDir():
		d.add(check, wrong, "name a directory (--data-dir)", "%s is no directory", dir)
		return
	}
	if err := checkOwn(dir); err != nil {
		d.add(check, wrong, "name another directory (--data-dir)", "%v", err)
		return
	}
	if !d.cfg.ReadOnly {
		f, err := os.CreateTemp(dir, ".vectorlink-doctor-")
		if err == nil {
			_, err = f.Write(make([]byte, 4096))
			err = errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
		}
		if err != nil {
			d.add(check, wrong, "give it to the user that the server runs as (chown -R), and look whether the disk is full or mounted read-only", "cannot be written: %v", err)
			return
		}
	}
	if mode := info.Mode().Perm(); os.PathSeparator == '/' && mode&0o077 != 0 {
		d.add(check, minor, "chmod 700 "+dir, "%s can be read by other users (%v): it holds texts and keys", dir, mode)
		return
	}
	d.add(check, fine, "", "%s can be written", dir)
}

// disk checks how much room there is.
func (d *doctor) disk() {
	const check, do = "disk space", "free some, or move the data to a larger disk; vectorlink prune and gc remove what is not needed"
	dir := d.cfg.DataDir
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	switch space, err := vfs.SpaceOf(dir); {
	case err != nil:
		d.add(check, wrong, "", "%v", err)
	case space.Size == 0:
		d.add(check, minor, "", "not known on this system")
	case space.Free < 256<<20:
		d.add(check, wrong, do, "%s left of %s: a full disk refuses commits", gibibytes(space.Free), gibibytes(space.Size))
	case space.Free < space.Size/10 && space.Free < 20<<30:
		d.add(check, minor, do, "%s left of %s", gibibytes(space.Free), gibibytes(space.Size))
	default:
		d.add(check, fine, "", "%s left of %s", gibibytes(space.Free), gibibytes(space.Size))
	}
}

func gibibytes(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// doctorPatience bounds each question to the outside.
const doctorPatience = 10 * time.Second

// database asks the document database whether it is there and takes the credentials.
func (d *doctor) database(ctx context.Context) {
	const check = "database"
	address, info := d.cfg.TerminusDBURL, "/api/info"
	if address == "" {
		address, info = d.cfg.ContentEndpoint, ""
	}
	if address == "" {
		d.add(check, fine, "", "none is set: commits are pushed")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(address, "/")+info, nil)
	if err != nil {
		d.add(check, wrong, "correct the address", "%v", err)
		return
	}
	switch token, password := d.cfg.TerminusDBToken.Reveal(), d.cfg.TerminusDBPassword.Reveal(); {
	case token != "":
		req.Header.Set("Authorization", "Bearer "+token)
	case password != "":
		req.SetBasicAuth(d.cfg.TerminusDBUser, password)
	case d.cfg.UserForwardHeader != "":
		req.Header.Set(d.cfg.UserForwardHeader, d.cfg.TerminusDBUser)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if sent, ok := errors.AsType[*url.Error](err); ok {
			err = sent.Err // without the address twice
		}
		d.add(check, wrong, "see that it runs and can be reached from here, and that the address is right", "%s does not answer: %v", address, err)
		return
	}
	resp.Body.Close()
	d.asked = time.Now()
	d.date, _ = http.ParseTime(resp.Header.Get("Date"))
	switch {
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		d.add(check, wrong, "check terminusdb-user with terminusdb-password, or terminusdb-token", "%s refuses the credentials (HTTP %d)", address, resp.StatusCode)
	case resp.StatusCode >= 500:
		d.add(check, wrong, "look at the database's log", "%s is in trouble (HTTP %d)", address, resp.StatusCode)
	default:
		d.add(check, fine, "", "%s answers", address)
	}
}

// provider asks the embedding provider for the vector of one short text.
func (d *doctor) provider(ctx context.Context) {
	const check = "provider"
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	_, remote, err := d.cfg.embedder(nil)
	if err == nil && remote == nil {
		d.add(check, fine, "", "the model in this program")
		return
	}
	if err == nil {
		began := time.Now()
		if err = remote.Probe(ctx); err == nil {
			d.add(check, fine, "", "%s answers in %v with vectors of %s", cmp.Or(d.cfg.EmbedURL, d.cfg.EmbedProvider), time.Since(began).Round(time.Millisecond), d.cfg.Model)
			return
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %v", doctorPatience)
	}
	d.add(check, wrong, "check embed-url, embed-key and model; until it answers, searches by words alone go on", "%v", err)
}

// maxSkew is how far the clocks of two machines may be apart.
const maxSkew = 30 * time.Second

// clock compares the clock with the database's.
func (d *doctor) clock() {
	const check, do = "clock", "set it by NTP (timedatectl set-ntp true): times of commits, keys and certificates go by it"
	switch now := time.Now(); {
	case now.Year() < 2025:
		d.add(check, wrong, do, "it is %s here", now.Format(time.DateTime))
	case d.date.IsZero():
		d.add(check, fine, "", "it is %s; there is no other to compare it with", now.UTC().Format(time.RFC3339))
	case d.asked.Sub(d.date).Abs() > maxSkew:
		d.add(check, minor, do, "it is %v from the database's", d.asked.Sub(d.date).Round(time.Second))
	default:
		d.add(check, fine, "", "it agrees with the database's")
	}
}

// limits checks what the system allows the process.
func (d *doctor) limits() {
	if n := vfs.DefaultLimit(); n < 512 {
		d.add("open files", minor, "raise it: ulimit -n 65536, LimitNOFILE=65536 in a systemd unit", "%d files of the data at once: searches of many commits open files again and again", n)
	} else {
		d.add("open files", fine, "", "%d files of the data at once", n)
	}
	memory := systemMemory()
	if memory == 0 {
		d.add("memory", minor, "", "not known on this system")
		return
	}
	took := int64(d.cfg.MemoryLimit)
	if took == 0 {
		took = int64(d.cfg.PagePoolBytes+d.cfg.IndexPoolBytes+d.cfg.QueryCacheBytes) * 3 / 2 // and what requests and builds take
	}
	if took > memory {
		limit := Bytes(memory * 9 / 10 >> 20 << 20)
		d.add("memory", minor, "set memory-limit to "+limit.String()+", or give it more", "the pools may come to take %s, and the system gives %s", gibibytes(took), gibibytes(memory))
	} else {
		d.add("memory", fine, "", "%s of %s", gibibytes(took), gibibytes(memory))
	}
	var stored int64
	names, _ := filepath.Glob(filepath.Join(d.cfg.DataDir, "*.*"))
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			stored += info.Size()
		}
	}
	if room := memory - took; stored > max(room, 0) {
		d.add("page cache", minor, "more memory makes the first searches of a commit faster", "%s of files, and %s for the system to keep them in memory", gibibytes(stored), gibibytes(max(room, 0)))
	} else {
		d.add("page cache", fine, "", "%s of files fit into the %s that are left", gibibytes(stored), gibibytes(room))
	}
}

// systemMemory returns the memory of the machine, or of the control group that the
// process is in, if that is less; 0 where neither is known.
func systemMemory() int64 {
	least := int64(math.MaxInt64)
	take := func(n int64) {
		if n > 0 {
			least = min(least, n)
		}
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		_, rest, _ := strings.Cut(string(text), "MemTotal:")
		var kilobytes int64
		_, _ = fmt.Sscan(rest, &kilobytes)
		take(kilobytes << 10)
	}
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if text, err := os.ReadFile(name); err == nil {
			n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" is no number
			take(n)
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}
