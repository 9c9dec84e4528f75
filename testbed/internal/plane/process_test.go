package plane

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func shell(t *testing.T, script string) *process {
	t.Helper()
	p, err := spawn("child", "/bin/sh", filepath.Join(t.TempDir(), "logs", "child.log"), "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestADeadChildIsNamedWithTheEndOfItsLog(t *testing.T) {
	p := shell(t, "seq 100; echo out of luck >&2; exit 3")
	<-p.done
	told := p.death().Error()
	for _, part := range []string{"child ended (exit status 3)", p.log, "\n  100\n  out of luck"} {
		if !strings.Contains(told, part) {
			t.Errorf("%q is not in %q", part, told)
		}
	}
	if strings.Contains(told, "\n  89\n") {
		t.Errorf("more than %d lines: %q", lastLines, told)
	}
}

func TestStopIsOneSignalForAChildThatObeys(t *testing.T) {
	p := shell(t, "exec sleep 100")
	began := time.Now()
	p.stop()
	if took := time.Since(began); took >= grace {
		t.Errorf("took %v: it did not end by SIGTERM", took)
	}
	p.stop() // a second time is no error
}

func TestAFolderWithAClusterIsNotUsedAgain(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "etcd"), 0o700); err != nil {
		t.Fatal(err)
	}
	o, err := parse([]string{dir}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.prepare(); err == nil || !strings.Contains(err.Error(), "holds a cluster already") {
		t.Errorf("%v", err)
	}
}

func TestFlagsMayStandOnEitherSideOfTheFolder(t *testing.T) {
	o, err := parse([]string{"--audit", "here", "--port", "1234"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !o.audit || o.port != 1234 || filepath.Base(o.dir) != "here" {
		t.Errorf("%+v", o)
	}
	if _, err := parse(nil, io.Discard); err == nil {
		t.Error("no folder is no error")
	}
}
