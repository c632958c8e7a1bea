package main

import (
	"testing"

	"github.com/vectorlink/vectorlink/indexer"
)

func TestRetentionRules(t *testing.T) {
	c := Config{KeepLast: 9}
	if err := c.Retention.UnmarshalText([]byte("acme/archive=all acme/*=last:20,daily:365  *=daily:7")); err != nil {
		t.Fatal(err)
	}
	keep := c.retention()
	for domain, want := range map[string]indexer.Retention{
		"acme/archive": {}, "acme/films": {KeepLast: 20, KeepDaily: 365}, "space": {KeepDaily: 7}, "other/db": {KeepLast: 9},
	} {
		if got := keep(domain); got != want {
			t.Errorf("of %s stays %+v, want %+v", domain, got, want)
		}
	}
	if (&Config{}).retention() != nil {
		t.Error("without settings something is pruned")
	}
	for _, bad := range []string{"acme/*", "=all", "a/b=", "a/b=last:0", "a/b=last:x", "a/b=weekly:3", "[=all", "a/b=daily:100001", "a/b=last:1;daily:2"} {
		if err := c.Retention.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
