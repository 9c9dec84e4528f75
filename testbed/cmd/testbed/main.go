// Command testbed is a whole Kubernetes control plane in one program.
//
// `testbed up DIR` starts etcd, kube-apiserver, kube-controller-manager and
// kube-scheduler as children of one process; each child is this same program
// under the component's name, so that what the tests meet is the real thing.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"kubemend.dev/testbed/internal/plane"
)

// programs maps a name, which may be argv[0] or the first argument, to what
// it runs. Each is called with os.Args as if it were a binary of its own.
var programs = map[string]func() int{
	"etcd": func() int { etcdmain.Main(os.Args); return 0 },
	"up":   func() int { return plane.Up(os.Args[1:], os.Stdin, os.Stdout, os.Stderr) },

	"kube-apiserver":          run(apiserver.NewAPIServerCommand),
	"kube-controller-manager": run(controllers.NewControllerManagerCommand),
	"kube-scheduler":          run(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kube-proxy":              run(proxy.NewProxyCommand),
	"kubelet":                 run(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
}

func run(command func() *cobra.Command) func() int {
	return func() int { return cli.Run(command()) }
}

func main() {
	argv := append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...)
	program := programs[argv[0]]
	if program == nil && len(argv) > 1 {
		argv = argv[1:]
		program = programs[argv[0]]
	}
	if program == nil {
		fmt.Fprintln(os.Stderr, "usage: testbed up DIR [flags] | testbed COMPONENT [flags]")
		os.Exit(2)
	}
	os.Args = argv
	os.Exit(program())
}
