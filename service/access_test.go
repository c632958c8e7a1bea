package service_test

import (
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/service"
)

func TestAccess(t *testing.T) {
	open := service.NewAccess("admin", contract.Secret{})
	if !open.Open() || !open.AdmitsUser("nobody", "") || !open.AdmitsToken("") {
		t.Error("without a secret somebody is refused")
	}
	a := service.NewAccess("admin", contract.NewSecret("a:b"))
	for _, tt := range []struct {
		user, password string
		want           bool
	}{
		{"admin", "a:b", true}, {"admin", "a", false}, {"admin", "", false}, {"Admin", "a:b", false}, {"", "a:b", false},
	} {
		if got := a.AdmitsUser(tt.user, tt.password); got != tt.want {
			t.Errorf("%q with %q: %t", tt.user, tt.password, got)
		}
	}
	if a.Open() || !a.AdmitsToken("a:b") || a.AdmitsToken("") || a.AdmitsToken("admin:a:b") {
		t.Error("the secret is not the token")
	}
}
