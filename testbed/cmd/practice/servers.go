package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// web serves /, /healthz and /ready on `--port N` or $PORT, 8080 otherwise.
func web(args []string) int {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	for len(args) > 0 {
		flag, value, given := strings.Cut(args[0], "=")
		args = args[1:]
		if (flag != "--port" && flag != "-port") || (!given && len(args) == 0) {
			fmt.Fprintf(os.Stderr, "flag provided but not defined: %s\n", strings.Replace(flag, "--", "-", 1))
			return 2
		}
		if !given {
			value, args = args[0], args[1:]
		}
		port = value
	}
	if number, err := strconv.Atoi(port); err != nil || number < 1 || number > 65535 {
		fmt.Fprintf(os.Stderr, "invalid port '%s'\n", port)
		return 1
	}
	if !serve(port, "/", "/healthz", "/ready") {
		return 1
	}
	fmt.Printf("listening on :%s\n", port)
	return untilTold(0)
}

// configReader ends at once without $CONFIG.
func configReader([]string) int {
	if os.Getenv("CONFIG") == "" {
		fmt.Fprintln(os.Stderr, "fatal: environment variable CONFIG is not set")
		return 1
	}
	return web(nil)
}

// nginx serves / on port 80, and must be able to write to its cache.
func nginx(args []string) int {
	for _, word := range args {
		if strings.HasPrefix(word, "-") && !slices.Contains([]string{"-g", "-c", "-t"}, word) {
			fmt.Fprintf(os.Stderr, "nginx: invalid option: %q\n", strings.TrimLeft(word, "-"))
			return 1
		}
	}
	const cache = "/var/cache/nginx/client_temp"
	if err := os.MkdirAll(cache, 0o700); err != nil {
		fmt.Fprintf(os.Stderr, "nginx: [emerg] mkdir() %q failed (30: Read-only file system)\n", cache)
		return 1
	}
	if !serve("80", "/", "/index.html") {
		return 1
	}
	fmt.Println("start worker processes")
	return untilTold(0)
}

func redis([]string) int {
	if !listen(6379, "-ERR unknown command\r\n") {
		return 1
	}
	fmt.Println("* Ready to accept connections tcp")
	return untilTold(0)
}

// postgres wants a password, or to be told that none is wanted.
func postgres([]string) int {
	if os.Getenv("POSTGRES_HOST_AUTH_METHOD") != "trust" && os.Getenv("POSTGRES_PASSWORD") == "" {
		fmt.Fprintln(os.Stderr, "Error: Database is uninitialized and superuser password is not specified.")
		fmt.Fprintln(os.Stderr, "You must specify POSTGRES_PASSWORD to a non-empty value for the superuser.")
		return 1
	}
	if !listen(5432, "E") {
		return 1
	}
	fmt.Println("LOG:  database system is ready to accept connections")
	return untilTold(0)
}

// serve answers these paths with 200, and every other with 404.
func serve(port string, paths ...string) bool {
	listener, ok := open(port)
	if !ok {
		return false
	}
	answer := func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(paths, r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintln(w, "ok")
	}
	go func() { fatal(http.Serve(listener, http.HandlerFunc(answer))) }()
	return true
}

// listen says the same to every line it gets: it speaks no HTTP.
func listen(port int, says string) bool {
	listener, ok := open(strconv.Itoa(port))
	if !ok {
		return false
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				fatal(err)
			}
			go func() {
				defer connection.Close()
				for lines := bufio.NewScanner(connection); lines.Scan(); {
					if _, err := fmt.Fprint(connection, says); err != nil {
						return
					}
				}
			}()
		}
	}()
	return true
}

func open(port string) (net.Listener, bool) {
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return nil, false
	}
	return listener, true
}

// listens is a client that only asks whether its server listens beside it.
func listens(port int) program {
	return func([]string) int {
		connection, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		connection.Close()
		return 0
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
