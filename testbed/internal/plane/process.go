package plane

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// grace is how long a child gets between SIGTERM and SIGKILL. What it would
// still save is thrown away with the test bed.
const grace = 5 * time.Second

// lastLines of a dead child's log are shown.
const lastLines = 12

// process is one running component.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd
	// done is closed when the process has ended; err says how, and may be
	// read from then on.
	done chan struct{}
	err  error
}

// spawn starts a program as a child that dies with us, whatever ends us.
//
// The kernel ties Pdeathsig to the thread that forked, not to the process: the
// caller must have locked its goroutine to a thread that lives as long as the
// child should. A process group of its own keeps a terminal's Ctrl-C away, so
// that we stop the children in order.
func spawn(name, path, log string, args ...string) (*process, error) {
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd := exec.Command(path)
	cmd.Args = append([]string{name}, args...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, log: log, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop asks the process to end, waits, and ends it if it does not.
func (p *process) stop() {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// signal reaches the whole group; a process that has ended can't be met by it,
// since a group id is not given out again while we have not waited for it.
func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.done:
	default:
		// ESRCH: it ended between the two lines.
		if err := syscall.Kill(-p.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			fmt.Fprintf(os.Stderr, "testbed: signal %v to %s: %v\n", s, p.name, err)
		}
	}
}

// death describes how an ended process ended, with the end of its log.
func (p *process) death() error {
	how := "exit status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("%s ended (%s); the end of %s:\n%s", p.name, how, p.log, tail(p.log, lastLines))
}

func tail(path string, lines int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "  (" + err.Error() + ")"
	}
	all := strings.Split(string(bytes.TrimSpace(text)), "\n")
	return "  " + strings.Join(all[max(0, len(all)-lines):], "\n  ")
}
