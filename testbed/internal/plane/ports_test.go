package plane

import (
	"net"
	"testing"
)

func TestFreePortsAreDistinctFreeAndBelowTheKernelsOwn(t *testing.T) {
	ports, err := freePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range ports {
		if seen[port] {
			t.Errorf("%d twice", port)
		}
		seen[port] = true
		if port < lowestPort || port >= firstEphemeral() {
			t.Errorf("%d is outside %d..%d", port, lowestPort, firstEphemeral())
		}
		if err := portFree(loopback, port); err != nil {
			t.Error(err)
		}
	}
	if len(seen) != 20 {
		t.Errorf("%d ports", len(seen))
	}
}

func TestAPortInUseIsSaidToBeSo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := portFree(loopback, taken.Addr().(*net.TCPAddr).Port); err == nil {
		t.Error("it is said to be free")
	}
}
