package contract

import (
	"errors"
	"net/url"
	"strings"
)

// ParseAddress parses the base address of an HTTP service, and returns it
// without a slash at its end. Credentials, a query and a fragment have no place
// in it. The error never quotes the address, for there may be a password in it.
func ParseAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, errors.New("is not an http:// or https:// address")
	case u.User != nil:
		return nil, errors.New("holds a user or password, which have settings of their own")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("holds a query or fragment")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	return u, nil
}
