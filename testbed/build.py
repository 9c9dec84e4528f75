"""Builds the test bed's programs once per version of their sources, and says where they are.

A control plane as Go modules takes minutes to compile and seconds to start, so what was built is kept in
`${XDG_CACHE_HOME:-~/.cache}/kubemend/testbed/HASH/`, where HASH is over the Go sources: any checkout with the same
sources uses the same programs, and nobody has to say when they are out of date.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
PROGRAMS = ("testbed", "kubectl", "practice")
ALONE = frozenset({"practice"})
"""Programs that need nothing of the system beside them: they run in images that hold nothing else."""
_VERSION = "k8s.io/component-base/version"


class BuildError(Exception):
    """The programs can't be built here; the message says why and what to do."""


def folder() -> Path:
    """Where the programs of these sources are, or would be."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "kubemend" / "testbed" / digest(SOURCES)


def digest(sources: Path) -> str:
    """One hash over all that goes into the programs: go.mod, go.sum and the Go files, but not their tests."""
    files = [sources / "go.mod", sources / "go.sum", *sources.rglob("*.go")]
    total = hashlib.sha256()
    for file in sorted(f for f in files if not f.name.endswith("_test.go")):
        text = file.read_bytes()
        total.update(f"{file.relative_to(sources).as_posix()} {len(text)}\n".encode() + text)
    return total.hexdigest()


def cached() -> bool:
    """Whether the programs of these sources are built."""
    return all((folder() / name).is_file() for name in PROGRAMS)


def build() -> Path:
    """The folder with the programs, built first if need be. With an empty Go cache that takes about ten minutes.

    Raises BuildError without Go, or with the compiler's own words.
    """
    into = folder()
    if cached():
        return into
    go = shutil.which("go")
    if go is None:
        raise BuildError("the test bed's programs are not built, and there is no Go here (https://go.dev/dl, 1.26+)")
    with _alone(into.parent):
        if not cached():
            _compile(go, into)
    return into


def _compile(go: str, into: Path) -> None:
    print("building the test bed (once; about ten minutes with an empty Go cache)", file=sys.stderr)
    scratch = Path(tempfile.mkdtemp(dir=into.parent))
    try:
        for name in PROGRAMS:
            command = [go, "build", "-mod=readonly", "-buildvcs=false", "-ldflags", _link_flags()]
            built = subprocess.run(
                [*command, "-o", str(scratch / name), f"./cmd/{name}"],
                cwd=SOURCES,
                env={**os.environ, "CGO_ENABLED": "0"} if name in ALONE else None,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if built.returncode:
                raise BuildError(f"go build ./cmd/{name} failed:\n{built.stdout}")
        shutil.rmtree(into, ignore_errors=True)
        scratch.rename(into)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _link_flags() -> str:
    """Strip symbols (half the size), and tell clients the version that go.mod names."""
    found = re.search(r"^\tk8s\.io/kubernetes (v(\d+)\.(\d+)\.\d+)$", (SOURCES / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise BuildError(f"{SOURCES / 'go.mod'} names no version of k8s.io/kubernetes")
    version, major, minor = found.groups()
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s", "-w", *(f"-X {_VERSION}.{name}={value}" for name, value in stamps.items())])


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Waits while another process builds: two builds at once would take twice as long each."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Print the folder; exit status 1 with the reason when there is none."""
    try:
        print(build())
    except BuildError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
