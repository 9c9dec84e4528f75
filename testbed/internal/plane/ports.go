package plane

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
)

// Ports are sought between the well-known ones and the range that the kernel
// hands to outgoing connections, so that no connection of ours or of anybody
// else takes a port between our choosing it and the child's opening it.
const (
	lowestPort    = 10240
	ephemeralFrom = "/proc/sys/net/ipv4/ip_local_port_range"
	// What Linux uses where /proc can't be read.
	ephemeralDefault = 32768
	portTries        = 512
)

// freePorts finds n distinct loopback ports on which nothing listens.
func freePorts(n int) ([]int, error) {
	held := make([]net.Listener, 0, n)
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	ports := make([]int, 0, n)
	upTo := firstEphemeral()
	for range portTries {
		if len(ports) == n {
			return ports, nil
		}
		port := lowestPort + rand.IntN(upTo-lowestPort)
		if l, err := net.Listen("tcp", address(loopback, port)); err == nil {
			held = append(held, l)
			ports = append(ports, port)
		}
	}
	return nil, fmt.Errorf("no %d free ports in %d tries between %d and %d", n, portTries, lowestPort, upTo)
}

// portFree tells why a port that was asked for can't be had.
func portFree(host string, port int) error {
	l, err := net.Listen("tcp", address(host, port))
	if err != nil {
		return fmt.Errorf("port %d is not free: %w", port, err)
	}
	return l.Close()
}

func address(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func firstEphemeral() int {
	var from, to int
	text, err := os.ReadFile(ephemeralFrom)
	if err != nil {
		return ephemeralDefault
	}
	if _, err := fmt.Sscan(string(text), &from, &to); err != nil || from <= lowestPort+portTries {
		return ephemeralDefault
	}
	return from
}
