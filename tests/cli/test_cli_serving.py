"""`kubemend serve` and `kubemend mcp serve` as a person starts and stops them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_cluster import Cluster, practice

# A process of its own takes half a minute to start on a machine that is busy with ten other things.
pytestmark = pytest.mark.timeout(180)

MISSING = "import sys; sys.modules[{!r}] = None; from kubemend.app import run; sys.exit(run(sys.argv[1:]))"


@pytest.mark.parametrize(
    ("library", "words", "install"),
    [
        ("mcp", ["mcp", "serve"], "kubemend[mcp]"),
        ("fastapi", ["serve"], "kubemend[http]"),
    ],
)
def test_a_door_whose_library_is_missing_names_the_line_that_installs_it(
    library: str, words: list[str], install: str
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", MISSING.format(library), *words], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "extra-missing" in ran.stderr
    assert f"pip install '{install}'" in ran.stderr


def test_langchain_without_its_library_names_the_line_that_installs_it() -> None:
    code = "import sys; sys.modules['langchain_core'] = None; import kubemend.langchain"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'kubemend[langchain]'" in ran.stderr


HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with practice(tmp_path_factory.mktemp("served")) as found:
        yield found


def start(cluster: Cluster, folder: Path, *words: str) -> subprocess.Popen[bytes]:
    place = ["--kubeconfig", str(cluster.kubeconfig), "--store", str(folder / "ledger.db")]
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-m", "kubemend", *words, *place], stdin=pipe, stdout=pipe, stderr=pipe)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
@pytest.mark.parametrize("words", [["serve"], ["mcp", "serve", "--transport", "http"]], ids=" ".join)
def test_a_listening_door_ends_well_when_it_is_stopped(
    words: list[str], how: signal.Signals, cluster: Cluster, tmp_path: Path
) -> None:
    port = free_port()
    with start(cluster, tmp_path, *words, "--listen", f"127.0.0.1:{port}") as running:
        while running.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        running.send_signal(how)
        said = running.communicate(timeout=120)[1].decode().splitlines()
    assert running.returncode == 0, said
    assert len(said) == 1, said


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, None], ids=lambda s: getattr(s, "name", "end of input"))
def test_over_stdio_it_ends_with_its_input_or_when_it_is_stopped(
    how: signal.Signals | None, cluster: Cluster, tmp_path: Path
) -> None:
    with start(cluster, tmp_path, "mcp", "serve") as running:
        running.stdin.write(json.dumps(HELLO).encode() + b"\n")
        running.stdin.flush()
        assert json.loads(running.stdout.readline())["result"]["serverInfo"]["name"] == "kubemend"
        if how is not None:
            # Its input stays open: it must not wait for it.
            os.kill(running.pid, how)
            assert running.wait(120) == 0
        said = running.communicate(timeout=120)[1]
    assert (running.returncode, said) == (0, b"")
