"""A place where a script can do no harm: no network, no credentials, nothing of this machine but its programs.

Made by bubblewrap (Debian package `bubblewrap`). Started as root, the script runs as a user that nobody else is, whose
processes can be counted; started as anybody else, as nobody in a user namespace. Without it nothing is run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from kubemend.model.errors import KubemendError
from kubemend.tools.shell import syscalls

SAMPLE_S = 0.05
"""How often the memory of all processes is added up; the kernel limits that of each."""
PROGRAMS = "/usr/local/bin:/usr/bin:/bin"
SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
"""Folders that on merged systems are links into /usr."""
ALSO = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
WORK = "/work"
SCRIPT = "/script"

# Inside: limits first, then give up root, then become the script's program.
_LAUNCH = """
import os, resource, sys
memory, processes, seconds, disk, user = map(int, sys.argv[1:6])
for name, limit in (("AS", memory), ("NPROC", processes), ("CPU", seconds), ("FSIZE", disk), ("NOFILE", 128),
                    ("CORE", 0), ("MEMLOCK", 0), ("MSGQUEUE", 0)):
    resource.setrlimit(getattr(resource, "RLIMIT_" + name, 12), (limit, limit))
with open("/proc/self/oom_score_adj", "w") as file:
    file.write("1000")
os.nice(10)
if user:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
try:
    os.execvp(sys.argv[6], sys.argv[6:])
except OSError as error:
    sys.exit(f"{sys.argv[6]}: {error.strerror}; the sandbox has the programs of /usr alone")
"""


_OWN = re.compile(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)


class NoSandbox(KubemendError):
    """This machine can't make a sandbox, so nothing is run."""

    code = "no-sandbox"


@dataclass(frozen=True)
class Limits:
    """What a script may use. memory and disk are of all its processes together; output is of each stream."""

    seconds: float = 20.0
    memory_bytes: int = 512 << 20
    disk_bytes: int = 64 << 20
    output_bytes: int = 1 << 20
    processes: int = 64


@dataclass(frozen=True)
class Grant:
    """What a person's own file gives a program beyond that: the network, folders to read, environment."""

    network: bool = False
    folders: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How it ended. stopped: "", or the limit that ended it: "time", "memory", "output"."""

    exit_code: int
    stdout: str
    stderr: str
    stopped: str = ""


async def run(
    argv: Sequence[str],
    *,
    script: str = "",
    given: bytes = b"",
    limits: Limits = Limits(),
    grant: Grant = Grant(),
) -> Outcome:
    """Run a program there, with `script` as the file /script and `given` as its input. NoSandbox when there is none."""
    with _files(script) as (script_fd, filter_fd), _pipe() as (status, told):
        fds = (script_fd, filter_fd, told)
        command = [*_walls(limits, grant, script=script_fd, seccomp=filter_fd, status=told), *_inside(argv, limits)]
        async with _started(command, fds) as process:
            os.set_blocking(status, False)
            out, err, stopped = await _attended(process, given, limits)
            code = await _ended(process, kill=bool(stopped))
        if not stopped and b"exit-code" not in _told(status):
            raise _broken(err.decode(errors="replace"))
    return Outcome(-signal.SIGKILL if stopped else code, _decoded(out), _decoded(err), stopped)


def _walls(limits: Limits, grant: Grant, *, script: int, seccomp: int, status: int) -> list[str]:
    """bubblewrap's arguments, in the order in which it builds."""
    program = shutil.which("bwrap", path=PROGRAMS)
    if program is None:
        raise NoSandbox("bubblewrap is not installed", hint="apt-get install bubblewrap")
    if not syscalls.known():
        raise NoSandbox("no system-call filter for this kind of processor", hint="run it on x86_64 or aarch64")
    made = [program, "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    made += [] if grant.network else ["--unshare-net"]
    made += ["--die-with-parent", "--new-session", "--hostname", "sandbox", "--cap-drop", "ALL", "--clearenv"]
    if os.geteuid() == 0:
        made += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        made += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    environment = {"PATH": PROGRAMS, "HOME": WORK, "TMPDIR": WORK, "LANG": "C.UTF-8", **dict(grant.environment)}
    made += [word for name, value in environment.items() for word in ("--setenv", name, value)]
    for folder in ("/usr", *(f for f in SYSTEM if not Path(f).is_symlink() and Path(f).is_dir()), *grant.folders):
        made += [*_parents(folder), "--ro-bind", folder, folder]
    for link in (f for f in SYSTEM if Path(f).is_symlink()):
        made += ["--symlink", str(Path(link).readlink()), link]
    for place in (*ALSO, *(("/etc/resolv.conf", "/etc/ssl", "/etc/hosts") if grant.network else ())):
        made += [*_parents(place), "--ro-bind-try", place, place]
    if not Path(sys.base_prefix).is_relative_to("/usr"):
        made += [*_parents(sys.base_prefix), "--ro-bind", sys.base_prefix, sys.base_prefix]
    made += ["--perms", "0444", "--ro-bind-data", str(script), SCRIPT]
    made += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    made += ["--perms", "0777", "--size", str(limits.disk_bytes), "--tmpfs", WORK, "--symlink", WORK, "/tmp"]  # noqa: S108 - inside
    made += ["--remount-ro", "/", "--chdir", WORK]
    return [*made, "--seccomp", str(seccomp), "--json-status-fd", str(status), "--"]


def python() -> str:
    """The interpreter of the sandbox: this one's, without its packages."""
    return str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")


def _inside(argv: Sequence[str], limits: Limits) -> list[str]:
    # A user whom nobody else is: the kernel counts processes by user.
    user = (1 << 30) + secrets.randbelow(1 << 24) if os.geteuid() == 0 else 0
    numbers = (limits.memory_bytes, limits.processes, int(limits.seconds) + 1, limits.disk_bytes, user)
    return [python(), "-I", "-S", "-c", _LAUNCH, *map(str, numbers), *argv]


def _parents(path: str) -> list[str]:
    """Folders above a path that any user may pass through: bubblewrap itself makes them for root alone."""
    above = [str(p) for p in reversed(Path(path).parents) if p != Path("/")]
    return [word for folder in above for word in ("--perms", "0755", "--dir", folder)]


@contextmanager
def _files(script: str) -> Iterator[tuple[int, int]]:
    """Descriptors of the script and of the system-call filter, at their beginnings."""
    with tempfile.TemporaryFile() as text, tempfile.TemporaryFile() as rules:
        text.write(script.encode())
        rules.write(syscalls.program() if syscalls.known() else b"")
        for file in (text, rules):
            file.flush()
            file.seek(0)
        yield text.fileno(), rules.fileno()


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


@asynccontextmanager
async def _started(command: list[str], fds: tuple[int, ...]) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process, which never outlives the block; all in its process namespace end with it.

    Its environment is empty: what a process began with can be read in /proc.
    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, env={}, pass_fds=fds, start_new_session=True
    )
    try:
        yield process
    finally:
        await _ended(process, kill=True)


async def _ended(process: asyncio.subprocess.Process, *, kill: bool) -> int:
    """Its exit code. What it still has to say is read and dropped: asyncio waits for the end of its pipes too."""
    if kill and process.returncode is None:
        process.kill()
    for stream in (process.stdout, process.stderr):
        while stream is not None and await stream.read(1 << 16):
            pass
    return await process.wait()


async def _attended(process: asyncio.subprocess.Process, given: bytes, limits: Limits) -> tuple[bytes, bytes, str]:
    """Feed it, gather what it says, and watch its limits. What was said until then, and the limit that was reached."""
    assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018 - they are pipes
    out, err = bytearray(), bytearray()
    jobs = [
        asyncio.create_task(_fed(process.stdin, given)),
        asyncio.create_task(_gathered(process.stdout, out, limits.output_bytes)),
        asyncio.create_task(_gathered(process.stderr, err, limits.output_bytes)),
    ]
    try:
        stopped = await _watched(process.pid, jobs, limits)
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
    return bytes(out), bytes(err), stopped


async def _watched(pid: int, jobs: Sequence[asyncio.Task[bool]], limits: Limits) -> str:
    """Until all it has to say is said, or a limit is reached: which."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.seconds
    left: set[asyncio.Task[bool]] = set(jobs)
    while left:
        done, left = await asyncio.wait(left, timeout=SAMPLE_S, return_when=asyncio.FIRST_COMPLETED)
        if any(job.result() for job in done):
            return "output"
        if loop.time() > deadline:
            return "time"
        if left and _resident(pid) > limits.memory_bytes:
            return "memory"
    return ""


async def _fed(stream: asyncio.StreamWriter, given: bytes) -> bool:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it need not read all of it
        stream.write(given)
        await stream.drain()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.close()
        await stream.wait_closed()
    return False


async def _gathered(stream: asyncio.StreamReader, kept: bytearray, most: int) -> bool:
    """Read to the end; True when there was more than is kept."""
    while chunk := await stream.read(1 << 16):
        kept += chunk
        if len(kept) > most:
            del kept[most:]
            return True
    return False


def _resident(pid: int) -> int:
    """Bytes of memory of a process and all below it, files aside. One that ends meanwhile counts for nothing."""
    total, todo = 0, [pid]
    while todo:
        one = Path("/proc") / str(todo.pop())
        try:
            total += sum(int(kib) << 10 for kib in _OWN.findall((one / "status").read_text()))
            todo += map(int, (one / "task" / one.name / "children").read_text().split())
        except OSError:
            continue
    return total


def _told(status: int) -> bytes:
    try:
        return os.read(status, 1 << 16)
    except BlockingIOError:
        return b""


def _broken(stderr: str) -> NoSandbox:
    return NoSandbox(
        f"no sandbox can be made here: {stderr.strip()[-300:] or 'bubblewrap said nothing'}",
        hint="bubblewrap needs user namespaces (kernel.unprivileged_userns_clone=1, user.max_user_namespaces>0), or "
        "root with CAP_SYS_ADMIN; in a pod, a seccomp profile that allows them",
    )


def _decoded(told: bytes) -> str:
    return told.decode(errors="replace").replace("\x00", "")
