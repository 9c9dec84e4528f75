package plane

import (
	"fmt"
	"os"
	"path/filepath"
)

// auditPolicy keeps what writes ask for: who, to which object, with which
// body. Reads would drown it, and so would the heartbeats of controllers.
// Bodies that may carry credentials are left out.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  verbs: [get, list, watch]
- level: None
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: Metadata
  resources: [{group: "", resources: [secrets, serviceaccounts/token]}]
- level: Metadata
  resources: [{group: authentication.k8s.io}]
- level: Request
`

// layout names the files and ports of one control plane.
type layout struct {
	dir                    string
	host                   string
	node                   string
	port, client, peerPort int
	audit                  bool
}

func (l layout) server() string             { return "https://" + address(l.host, l.port) }
func (l layout) kubeconfig(u string) string { return filepath.Join(l.dir, u+".kubeconfig") }
func (l layout) log(name string) string     { return filepath.Join(l.dir, "logs", name+".log") }
func (l layout) data() string               { return filepath.Join(l.dir, "etcd") }
func (l layout) auditLog() string           { return filepath.Join(l.dir, "audit.log") }
func (l layout) auditPolicy() string        { return filepath.Join(l.dir, "audit-policy.yaml") }
func (l layout) cert(name string) string    { return filepath.Join(l.dir, "pki", name+".crt") }
func (l layout) key(name string) string     { return filepath.Join(l.dir, "pki", name+".key") }

func (l layout) writeAuditPolicy() error {
	if !l.audit {
		return nil
	}
	return os.WriteFile(l.auditPolicy(), []byte(auditPolicy), 0o600)
}

// etcd does not wait for the disk: the data ends with the test bed.
func (l layout) etcd() []string {
	client, peer := "https://"+address(loopback, l.client), "https://"+address(loopback, l.peerPort)
	return []string{
		"--name=testbed",
		"--data-dir=" + l.data(),
		"--unsafe-no-fsync",
		"--log-level=warn",
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=testbed=" + peer,
		"--client-cert-auth",
		"--trusted-ca-file=" + l.cert("etcd-ca"),
		"--cert-file=" + l.cert("etcd"),
		"--key-file=" + l.key("etcd"),
		"--peer-client-cert-auth",
		"--peer-trusted-ca-file=" + l.cert("etcd-ca"),
		"--peer-cert-file=" + l.cert("etcd"),
		"--peer-key-file=" + l.key("etcd"),
	}
}

// apiserver has no endpoint reconciler on loopback: Endpoints may not hold
// such an address, and it would only log the refusal again and again.
func (l layout) apiserver() []string {
	flags := []string{
		"--bind-address=" + l.host,
		"--advertise-address=" + l.host,
		fmt.Sprintf("--secure-port=%d", l.port),
		"--tls-cert-file=" + l.cert("apiserver"),
		"--tls-private-key-file=" + l.key("apiserver"),
		"--client-ca-file=" + l.cert("ca"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--profiling=false",
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-signing-key-file=" + l.key("service-account"),
		"--service-account-key-file=" + l.key("service-account"),
		"--etcd-servers=https://" + address(loopback, l.client),
		"--etcd-cafile=" + l.cert("etcd-ca"),
		"--etcd-certfile=" + l.cert("apiserver-etcd-client"),
		"--etcd-keyfile=" + l.key("apiserver-etcd-client"),
		"--kubelet-certificate-authority=" + l.cert("ca"),
		"--kubelet-client-certificate=" + l.cert("apiserver-kubelet-client"),
		"--kubelet-client-key=" + l.key("apiserver-kubelet-client"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + l.cert("front-proxy-ca"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + l.cert("front-proxy-client"),
		"--proxy-client-key-file=" + l.key("front-proxy-client"),
		"--enable-aggregator-routing=true",
	}
	if l.host == loopback {
		flags = append(flags, "--endpoint-reconciler-type=none")
	}
	if l.audit {
		flags = append(flags, "--audit-policy-file="+l.auditPolicy(), "--audit-log-path="+l.auditLog(),
			// Rotated at 100 MB, which is the default, it would hide writes from who counts them.
			"--audit-log-maxsize=1000000")
	}
	return flags
}

// controllerManager gets a generous request rate: at the default of 20 a
// second its controllers start 150 ms apart. It serves no port: nobody here
// reads its metrics.
func (l layout) controllerManager() []string {
	return []string{
		"--kubeconfig=" + l.kubeconfig("controller-manager"),
		"--secure-port=0",
		"--leader-elect=false",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + l.key("service-account"),
		"--root-ca-file=" + l.cert("ca"),
		"--cluster-signing-cert-file=" + l.cert("ca"),
		"--cluster-signing-key-file=" + l.key("ca"),
		"--controllers=*",
	}
}

func (l layout) scheduler() []string {
	return []string{
		"--kubeconfig=" + l.kubeconfig("scheduler"),
		"--secure-port=0",
		"--leader-elect=false",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
	}
}
