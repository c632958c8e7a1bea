package api

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/vectorlink/vectorlink/internal/reread"
)

const (
	// warnTime is how long before its end a certificate is warned of, or the last
	// third of a shorter life; warnEvery is the pause between two lines of the log.
	warnTime  = 14 * 24 * time.Hour
	warnEvery = 24 * time.Hour
)

// Certificate is a certificate and its key, in files that are looked at for every
// connection, and read again when they have changed. Its methods may be called by many
// goroutines at once; nil is none.
type Certificate struct {
	pair   *reread.Value[*tls.Certificate]
	log    *slog.Logger
	warned atomic.Int64 // when the log was last told of its end, in nanoseconds
}

// OpenCertificate returns the Certificate of these files. Later changes that cannot be
// read are told to the log, and the certificate before stays.
func OpenCertificate(cert, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{log: log}
	read := func(before *tls.Certificate) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("tls: %s, %s: %w", cert, key, err)
		}
		if before != nil {
			log.Info("the TLS certificate is another one", "expires", pair.Leaf.NotAfter)
			c.warned.Store(0)
		}
		return &pair, nil
	}
	var err error
	c.pair, err = reread.Open(read, func(err error) {
		log.Error("the TLS certificate cannot be read: the one before stays", keyError, err.Error())
	}, cert, key)
	if err != nil {
		return nil, err
	}
	c.current()
	return c, nil
}

// current returns the pair, and warns of its end. One that has expired is shown all the
// same: clients say so better than a refused connection does.
func (c *Certificate) current() *tls.Certificate {
	pair, _ := c.pair.Get()
	now := time.Now()
	if last := c.warned.Load(); ending(pair, now) != "" && now.UnixNano()-last > int64(warnEvery) && c.warned.CompareAndSwap(last, now.UnixNano()) {
		c.log.Warn(ending(pair, now), "expires", pair.Leaf.NotAfter)
	}
	return pair
}

// ending says that a certificate ends soon, or has, "" otherwise.
func ending(pair *tls.Certificate, now time.Time) string {
	end := pair.Leaf.NotAfter
	switch {
	case now.After(end):
		return "the TLS certificate has expired: clients refuse it"
	case end.Sub(now) < min(warnTime, end.Sub(pair.Leaf.NotBefore)/3):
		return "the TLS certificate expires soon"
	}
	return ""
}

// Expires returns when the certificate ends, the zero Time where there is none.
func (c *Certificate) Expires() time.Time {
	if c == nil {
		return time.Time{}
	}
	return c.current().Leaf.NotAfter
}

// Warning says what is wrong with the certificate, "" for nothing.
func (c *Certificate) Warning() string {
	if c == nil {
		return ""
	}
	if _, err := c.pair.Get(); err != nil {
		return "the TLS certificate cannot be read again: the one before stays"
	}
	return ending(c.current(), time.Now())
}

// Secure returns a listener whose connections are encrypted, of TLS 1.2 or later, for
// HTTP/2 and HTTP/1.1; l where there is no certificate.
func (c *Certificate) Secure(l net.Listener) net.Listener {
	if c == nil {
		return l
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil },
	})
}
