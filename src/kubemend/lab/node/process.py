"""A pretended process: what it prints, serves, uses and ends with depends on its spec and the cluster alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kubemend.kube.quantity import to_bytes
from kubemend.lab.api import Object
from kubemend.lab.fields import annotated, spec

PREFIX = "lab.kubemend.dev/"

Connect = Callable[[str, int], Awaitable[str]]
"""Tries to reach host and port; the error's text, empty when it works. Port 0 only looks the name up."""

GROWTH_S = 0.5
"""Seconds until a process holds the memory it asks for."""


class OutOfMemory(Exception):
    """The kernel killed the process: it wanted more memory than its limit."""


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What pod annotations say of a container's program, over what its image says.

    memory: bytes it needs. serves: HTTP paths by port. startup, response, lasts: seconds. exit: its exit code after
    `lasts`. needs: (host, port) that must answer, else it exits with 1.
    """

    memory: int | None = None
    serves: Mapping[int, frozenset[str]] | None = None
    startup: float = 0.0
    response: float = 0.0
    exit: int | None = None
    lasts: float = 0.0
    needs: tuple[str, int] | None = None

    @classmethod
    def of(cls, pod: Object, container: str) -> Behaviour:
        """Read `lab.kubemend.dev/WORD` (for the first app container) and `lab.kubemend.dev/WORD.CONTAINER`.

        Words: memory "200Mi"; serves "8080:/healthz,/ready" (more ports after a blank); startup-seconds; exit "1";
        exit-seconds (how long it runs before); response-seconds; needs "host:port".
        """
        first = container == spec(pod)["containers"][0]["name"]
        notes = annotated(pod)

        def said(word: str) -> str:
            return notes.get(f"{PREFIX}{word}.{container}") or (notes.get(PREFIX + word, "") if first else "")

        return cls(
            memory=to_bytes(text) if (text := said("memory")) else None,
            serves=dict(_served(part) for part in text.split()) if (text := said("serves")) else None,
            startup=float(said("startup-seconds") or 0),
            response=float(said("response-seconds") or 0),
            exit=int(text) if (text := said("exit")) else None,
            lasts=float(said("exit-seconds") or 0),
            needs=_address(text) if (text := said("needs")) else None,
        )


def _served(text: str) -> tuple[int, frozenset[str]]:
    port, _, paths = text.partition(":")
    return int(port), frozenset(paths.split(",")) if paths else frozenset({"/"})


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port or 0)


@dataclass(kw_only=True)
class Process:
    """A running program's surroundings, and what can be seen of it from outside.

    pace: real seconds per second. limit: bytes of memory it may have (None: no limit). grace_s, grace_code: how long
    it takes to end when asked to, and with which code; a grace of None ignores the request.
    """

    pace: float
    write: Callable[[str], None]
    connect: Connect
    used: Callable[[int, float], None]
    env: dict[str, str] = field(default_factory=dict)
    limit: int | None = None
    behaviour: Behaviour = field(default_factory=Behaviour)
    files: set[str] = field(default_factory=set)
    read_only: bool = False
    writable: Sequence[str] = ()
    programs: Mapping[str, Program] = field(default_factory=dict)
    oom_code: int = 137
    grace_s: float | None = 0.1
    grace_code: int = 143
    memory: int = 0
    cpu: float = 0.001
    served: dict[int, frozenset[str] | None] = field(default_factory=dict)
    """HTTP paths by port that it listens on; None for what doesn't speak HTTP."""

    def __post_init__(self) -> None:
        self.served.update(self.behaviour.serves or {})
        self.started_at = asyncio.get_running_loop().time()
        self.changed = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Let that much time of Kubernetes pass."""
        await asyncio.sleep(seconds * self.pace)

    async def forever(self) -> int:
        """Run until stopped."""
        never: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        return await never

    async def use(self, memory: int, cpu: float = 0.001) -> None:
        """Take this much memory (bytes) and CPU (cores). Raises `OutOfMemory` when it's more than the limit."""
        self.memory, self.cpu = self.behaviour.memory or memory, cpu
        self.used(min(self.memory, self.limit or self.memory), cpu)
        if self.limit is not None and self.memory > self.limit:
            await self.sleep(GROWTH_S)
            raise OutOfMemory

    def serve(self, port: int, *paths: str) -> None:
        """Listen: on HTTP with these paths, or on something else when there are none."""
        if self.behaviour.serves is None:
            self.served[port] = frozenset(paths) if paths else None
            self.changed.set()

    def listens(self, port: int) -> bool:
        """Whether a connection to this port is accepted: not before its start-up time is over."""
        up = asyncio.get_running_loop().time() - self.started_at
        return port in self.served and up >= self.behaviour.startup * self.pace

    def child(self, write: Callable[[str], None]) -> Process:
        """Another process in the same container, its output going elsewhere."""
        twin = replace(self, write=write, used=_unmeasured, env=dict(self.env))
        twin.started_at = self.started_at
        return twin

    def can_write(self, path: str) -> bool:
        """Whether a file may be made there: anywhere, or in its volumes when the root file system is read-only."""
        inside = any(path == w or path.startswith(w.rstrip("/") + "/") for w in self.writable)
        return inside or not self.read_only


def _unmeasured(_memory: int, _cpu: float) -> None:
    """What a short-lived child uses isn't looked at."""


class NotFound(Exception):
    """There is no such program in the container."""


async def executed(process: Process, command: Sequence[str], write: Callable[[str], None]) -> int:
    """Run another program in the container of a process; returns its exit code. Raises `NotFound`."""
    child = process.child(write)
    program = find_program(child.programs, command[0])
    if program is None:
        raise NotFound(command[0])
    try:
        return await program(child, command)
    except OutOfMemory:
        return child.oom_code


Program = Callable[[Process, Sequence[str]], Awaitable[int]]
"""Runs with its arguments (its own name first) to its end; returns the exit code."""


def find_program(programs: Mapping[str, Program], wanted: str) -> Program | None:
    """The program of that name, or at that path if it's where programs usually are."""
    directory, slash, base = wanted.rpartition("/")
    if slash and directory not in ("", "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/app", "."):
        return None
    return programs.get(base)
