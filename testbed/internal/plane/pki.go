package plane

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
)

// users are the subjects with a kubeconfig of their own, so that RBAC and the
// audit log can tell them apart. `nodes` is what node stand-ins work as: a test
// that asks the audit log who changed what can leave them out by name. `node`
// is the one real node, with no more rights than the node authorizer gives it.
func (l layout) users() map[string]leaf {
	users := map[string]leaf{
		"admin":              {name: "kubernetes-admin", group: "system:masters"},
		"nodes":              {name: "node-stand-ins", group: "system:masters"},
		"controller-manager": {name: "system:kube-controller-manager"},
		"scheduler":          {name: "system:kube-scheduler"},
	}
	if l.node != "" {
		users["node"] = leaf{name: "system:node:" + l.node, group: "system:nodes"}
	}
	return users
}

// serviceAddress is the first address of the service range, which the
// `kubernetes` Service gets.
const (
	serviceRange   = "10.96.0.0/16"
	serviceAddress = "10.96.0.1"
)

// loopback is where everything listens that is told nothing else.
const loopback = "127.0.0.1"

// writePKI makes every key and certificate of one control plane in its pki
// folder, and a kubeconfig per user above it. The cluster, etcd and the front
// proxy each have an authority of their own: a cluster user's certificate must
// open neither etcd nor the right to speak for other users.
func (l layout) writePKI() error {
	made := map[string]pair{}
	users := l.users()
	local := []string{"localhost", loopback}
	issuers := map[string]map[string]leaf{
		"ca": {
			"apiserver":                {name: "kube-apiserver", hosts: append(local, l.host, "kubernetes.default.svc", serviceAddress)},
			"apiserver-kubelet-client": {name: "kube-apiserver-kubelet-client"},
			"kubelet":                  {name: "kubelet", hosts: append(local, l.host)},
		},
		"etcd-ca": {
			"etcd":                  {name: "etcd", hosts: local},
			"apiserver-etcd-client": {name: "kube-apiserver-etcd-client"},
		},
		"front-proxy-ca": {
			"front-proxy-client": {name: "front-proxy-client"},
		},
	}
	maps.Copy(issuers["ca"], users)
	for name, leaves := range issuers {
		if err := issueAll(name, leaves, made); err != nil {
			return err
		}
	}
	signing, err := newSigningKey()
	if err != nil {
		return err
	}
	files := map[string][]byte{"pki/service-account.key": signing}
	for name, p := range made {
		files["pki/"+name+".crt"], files["pki/"+name+".key"] = p.cert, p.key
	}
	for user := range users {
		files[user+".kubeconfig"] = []byte(kubeconfig(l.server(), user, made["ca"].cert, made[user]))
	}
	return writeFiles(l.dir, files)
}

// issueAll makes an authority and what it issues.
func issueAll(authority string, leaves map[string]leaf, into map[string]pair) error {
	issuer, err := newAuthority(authority)
	if err != nil {
		return fmt.Errorf("authority %s: %w", authority, err)
	}
	into[authority] = issuer.pair
	for name, l := range leaves {
		if into[name], err = issuer.issue(l); err != nil {
			return fmt.Errorf("certificate %s: %w", name, err)
		}
	}
	return nil
}

// writeFiles writes files that only their owner may read.
func writeFiles(dir string, files map[string][]byte) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func kubeconfig(server, user string, ca []byte, client pair) string {
	text := base64.StdEncoding.EncodeToString
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: testbed
contexts:
- name: testbed
  context: {cluster: testbed, user: %s}
clusters:
- name: testbed
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: %s
  user:
    client-certificate-data: %s
    client-key-data: %s
`, user, server, text(ca), user, text(client.cert), text(client.key))
}
