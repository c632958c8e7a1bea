package api

import "github.com/vectorlink/vectorlink/service"

// Needs returns what a key must have, any of the bits, for each method and path of the
// table that asks for credentials.
func Needs(cfg Config) map[string]service.Scope {
	all := make(map[string]service.Scope)
	for _, rt := range (&server{cfg: cfg}).table() {
		for _, m := range rt.methods {
			if !rt.open {
				all[m+" "+rt.path] = rt.needs
			}
		}
	}
	return all
}
