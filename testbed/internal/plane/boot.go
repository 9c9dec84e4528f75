package plane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"
)

// pollEvery is how often a condition of the boot is looked at.
const pollEvery = 40 * time.Millisecond

// plane is a running control plane.
type plane struct {
	options
	began     time.Time
	progress  io.Writer
	processes []*process
	// deaths holds the components that ended; it has room for all of them.
	deaths chan *process
}

// boot starts the components, each when what it stands on serves.
func (p *plane) boot(ctx context.Context) error {
	p.deaths = make(chan *process, 4)
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	if err := p.spawn("etcd", p.etcd()); err != nil {
		return err
	}
	if err := p.await(ctx, "etcd", func(ctx context.Context) error { return dial(ctx, address(loopback, p.client)) }); err != nil {
		return err
	}
	if err := p.spawn("kube-apiserver", p.apiserver()); err != nil {
		return err
	}
	client, err := p.adminClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if err := p.await(ctx, "API server", p.answers(client, "/readyz")); err != nil || p.apiserverOnly {
		return err
	}
	if err := p.spawn("kube-controller-manager", p.controllerManager()); err != nil {
		return err
	}
	if err := p.spawn("kube-scheduler", p.scheduler()); err != nil {
		return err
	}
	// The last thing that creating a pod in a new cluster depends on.
	return p.await(ctx, "default ServiceAccount", p.answers(client, "/api/v1/namespaces/default/serviceaccounts/default"))
}

func (p *plane) spawn(name string, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	started, err := spawn(name, self, p.log(name), args...)
	if err != nil {
		return err
	}
	p.processes = append(p.processes, started)
	go func() {
		<-started.done
		p.deaths <- started
	}()
	return nil
}

// stop ends the components, those that stand on others first, and removes the
// cluster's data. Logs, certificates and the audit log stay.
func (p *plane) stop() {
	for _, running := range slices.Backward(p.processes) {
		running.stop()
	}
	if err := os.RemoveAll(p.data()); err != nil {
		fmt.Fprintf(p.progress, "testbed: %v\n", err)
	}
	fmt.Fprintf(p.progress, "%6.2f s  stopped\n", p.elapsed())
}

func (p *plane) elapsed() float64 {
	return float64(time.Since(p.began).Milliseconds()) / 1000
}

// await looks at a condition until it holds, a component dies, or the context ends.
func (p *plane) await(ctx context.Context, what string, holds func(context.Context) error) error {
	every := time.NewTicker(pollEvery)
	defer every.Stop()
	for {
		err := holds(ctx)
		if err == nil {
			fmt.Fprintf(p.progress, "%6.2f s  %s\n", p.elapsed(), what)
			return nil
		}
		select {
		case dead := <-p.deaths:
			return dead.death()
		case <-ctx.Done():
			return fmt.Errorf("%s: not there after %.0f s: %w", what, p.elapsed(), err)
		case <-every.C:
		}
	}
}

func (p *plane) answers(client *http.Client, path string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.server()+path, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s", path, response.Status)
		}
		return nil
	}
}

func (p *plane) adminClient() (*http.Client, error) {
	admin, err := tls.LoadX509KeyPair(p.cert("admin"), p.key("admin"))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(p.cert("ca"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New("no certificate in " + p.cert("ca"))
	}
	config := &tls.Config{Certificates: []tls.Certificate{admin}, RootCAs: roots}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: 10 * time.Second}, nil
}

func dial(ctx context.Context, address string) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return connection.Close()
}
