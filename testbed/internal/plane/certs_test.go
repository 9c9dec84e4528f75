package plane

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

func read(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "pki", name+".crt"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestEachCertificateIsTrustedByItsOwnAuthorityOnly(t *testing.T) {
	dir := t.TempDir()
	if err := (layout{dir: dir, host: loopback, port: 1, node: "one"}).writePKI(); err != nil {
		t.Fatal(err)
	}
	issued := map[string][]string{
		"ca":             {"admin", "nodes", "controller-manager", "scheduler", "node", "apiserver", "apiserver-kubelet-client", "kubelet"},
		"etcd-ca":        {"etcd", "apiserver-etcd-client"},
		"front-proxy-ca": {"front-proxy-client"},
	}
	for authority := range issued {
		roots := x509.NewCertPool()
		roots.AddCert(read(t, dir, authority))
		options := x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		for owner, names := range issued {
			for _, name := range names {
				_, err := read(t, dir, name).Verify(options)
				if trusted := err == nil; trusted != (owner == authority) {
					t.Errorf("%s against %s: trusted %v (%v)", name, authority, trusted, err)
				}
			}
		}
	}
}

func TestAServerCertificateIsGoodForItsHostsOnly(t *testing.T) {
	authority, err := newAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	issued, err := authority.issue(leaf{name: "server", hosts: []string{"localhost", "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(issued.cert)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority.cert)
	for host, good := range map[string]bool{"localhost": true, "127.0.0.1": true, "example.org": false} {
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); (err == nil) != good {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestAClientCertificateIsNoServerCertificate(t *testing.T) {
	authority, err := newAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	issued, err := authority.issue(leaf{name: "someone", group: "system:masters"})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(issued.cert)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority.cert)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots}); err == nil {
		t.Error("it passes as a server")
	}
	if got := cert.Subject.Organization; len(got) != 1 || got[0] != "system:masters" {
		t.Errorf("groups %v", got)
	}
}

func TestKeysAreReadableByTheirOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	if err := (layout{dir: dir, host: loopback, port: 1, node: "one"}).writePKI(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pki/ca.key", "pki/service-account.key", "admin.kubeconfig"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

func TestARealNodeGetsTheRightsOfANodeAndNoMore(t *testing.T) {
	dir := t.TempDir()
	l := layout{dir: dir, host: loopback, node: "one"}
	if err := l.writePKI(); err != nil {
		t.Fatal(err)
	}
	subject := read(t, dir, "node").Subject
	if subject.CommonName != "system:node:one" || len(subject.Organization) != 1 || subject.Organization[0] != "system:nodes" {
		t.Errorf("it is %v", subject)
	}
	l.node = ""
	if _, ok := l.users()["node"]; ok {
		t.Error("there is a node's user without a node")
	}
}
