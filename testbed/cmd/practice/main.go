// Command practice is the programs of the practice images, for a real node:
// the same names, flags, ports, words and exit codes as in
// src/kubemend/lab/images.py, under one roof; argv[0] says which is meant.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// sizeFile holds how many bytes an image's program keeps in memory.
const sizeFile = "/etc/practice/memory"

// runtimeSize is about what a Go program holds before it asks for anything.
const runtimeSize = 6 << 20

// program takes its arguments, without its name, and returns its exit code.
type program func(args []string) int

var programs = map[string]program{
	"pause":         pause,
	"web":           web,
	"api":           web,
	"app":           web,
	"worker":        worker,
	"config-reader": configReader,
	"nginx":         nginx,
	"redis-server":  redis,
	"redis-cli":     listens(6379),
	"postgres":      postgres,
	"pg_isready":    listens(5432),
}

func main() {
	name := filepath.Base(os.Args[0])
	run, ok := programs[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "practice: no program %q\n", name)
		os.Exit(2)
	}
	os.Exit(run(os.Args[1:]))
}

// pause holds a pod's namespaces, and waits for the children it inherits.
func pause([]string) int {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for s := range told {
		if s != syscall.SIGCHLD {
			break
		}
		for pid := 1; pid > 0; {
			pid, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		}
	}
	return 0
}

func worker([]string) int {
	fmt.Println("waiting for jobs")
	return untilTold(128 + int(syscall.SIGTERM))
}

// grow takes the memory that this image's program is said to use.
func grow() []byte {
	text, err := os.ReadFile(sizeFile)
	if err != nil {
		return nil
	}
	size, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || size <= runtimeSize {
		return nil
	}
	held := make([]byte, size-runtimeSize)
	for i := 0; i < len(held); i += os.Getpagesize() {
		held[i] = 1
	}
	return held
}

// untilTold waits for SIGTERM, in the memory that it is said to use, and
// returns the code to end with then.
func untilTold(code int) int {
	held := grow()
	defer runtime.KeepAlive(held)
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	<-told
	return code
}
