// Package plane runs a Kubernetes control plane as child processes on the
// loopback interface, for as long as its caller wants it.
package plane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

// bootLimit allows for a machine with ten times more to do than it has cores:
// a boot took 87 s there, and 4 s on two idle cores.
const bootLimit = 150 * time.Second

const usage = `usage: testbed up DIR [flags]

Starts etcd, kube-apiserver, kube-controller-manager and kube-scheduler, all
of them on 127.0.0.1 unless told otherwise, prints one line of JSON when they serve, and stops them on SIGTERM,
SIGINT, or when standard input is a pipe that closes.

`

// options are what the command line asks for.
type options struct {
	layout
	apiserverOnly bool
	quiet         bool
}

// ready is the line printed when the control plane serves.
type ready struct {
	Kubeconfig   string  `json:"kubeconfig"`
	Server       string  `json:"server"`
	Audit        string  `json:"audit"`
	ReadySeconds float64 `json:"ready_seconds"`
}

// Up is the command `testbed up`. It returns the exit status: 0 after an
// orderly stop, 1 when the control plane failed, 2 for a wrong command line.
func Up(args []string, in *os.File, out, progress io.Writer) int {
	o, err := parse(args, progress)
	if errors.Is(err, pflag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(progress, "testbed: %v\n", err)
		return 2
	}
	// The children die with the thread that starts them: see spawn.
	runtime.LockOSThread()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if isPipe(in) {
		go func() {
			_, _ = io.Copy(io.Discard, in) // however the pipe ends, it has ended
			cancel()
		}()
	}
	if err := run(ctx, o, out, progress); err != nil {
		fmt.Fprintf(progress, "testbed: %v\n", err)
		return 1
	}
	return 0
}

func parse(args []string, errors io.Writer) (options, error) {
	var o options
	flags := pflag.NewFlagSet("up", pflag.ContinueOnError)
	flags.SetOutput(errors)
	flags.Usage = func() { fmt.Fprint(errors, usage, flags.FlagUsages()) }
	flags.StringVar(&o.host, "address", loopback, "where the API server listens")
	flags.StringVar(&o.node, "node", "", "write DIR/node.kubeconfig for a node of this name")
	flags.IntVar(&o.port, "port", 0, "port of the API server (default: a free one)")
	flags.BoolVar(&o.audit, "audit", false, "keep an audit log of all writes in DIR/audit.log")
	flags.BoolVar(&o.apiserverOnly, "apiserver-only", false, "no controllers and no scheduler")
	flags.BoolVar(&o.quiet, "quiet", false, "no progress on standard error")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() != 1 {
		return o, fmt.Errorf("one DIR is needed, %d given; see testbed up --help", flags.NArg())
	}
	dir, err := filepath.Abs(flags.Arg(0))
	o.dir = dir
	return o, err
}

// run is Up with its surroundings given: it returns when the context ends
// (nil) or a component does (its death).
func run(ctx context.Context, o options, out, progress io.Writer) error {
	if o.quiet {
		progress = io.Discard
	}
	if err := o.prepare(); err != nil {
		return err
	}
	p := &plane{options: o, began: time.Now(), progress: progress}
	defer p.stop()
	err := p.boot(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	line := ready{Kubeconfig: o.kubeconfig("admin"), Server: o.server(), ReadySeconds: p.elapsed()}
	if o.audit {
		line.Audit = o.auditLog()
	}
	if err := json.NewEncoder(out).Encode(line); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case dead := <-p.deaths:
		return dead.death()
	}
}

// prepare chooses ports and writes the files that components start from.
func (o *options) prepare() error {
	if _, err := os.Stat(o.data()); err == nil {
		return fmt.Errorf("%s holds a cluster already, which runs or was not stopped in order: "+
			"remove the folder, or choose another", o.dir)
	}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	o.client, o.peerPort = ports[0], ports[1]
	if o.port == 0 {
		o.port = ports[2]
	} else if err := portFree(o.host, o.port); err != nil {
		return err
	}
	if err := o.writeAuditPolicy(); err != nil {
		return err
	}
	return o.writePKI()
}

func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0
}
