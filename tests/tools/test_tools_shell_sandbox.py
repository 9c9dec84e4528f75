"""Scripts that try to get out, or to take all there is. Each is run as it would be for a model."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubemend.tools.shell import sandbox
from kubemend.tools.shell.sandbox import SCRIPT, Limits, NoSandbox, Outcome, run

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None and not os.environ.get("CI"), reason="bubblewrap is not installed"
)
SHORT = Limits(seconds=10)


async def bash(script: str, *, given: bytes = b"", limits: Limits = SHORT) -> Outcome:
    return await run(["/bin/bash", SCRIPT], script=script, given=given, limits=limits)


async def python(script: str, *, limits: Limits = SHORT) -> Outcome:
    return await run([sandbox.python(), "-I", SCRIPT], script=script, limits=limits)


async def test_a_script_reads_its_input_and_answers_with_its_exit_code() -> None:
    done = await bash("sort; echo oops >&2; exit 3", given=b"b\na\n")
    assert (done.stdout, done.stderr, done.exit_code, done.stopped) == ("a\nb\n", "oops\n", 3, "")


async def test_it_is_nobody_with_no_powers_and_can_gain_none() -> None:
    done = await bash("id -u; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t\\n' '  '")
    user, powers = done.stdout.splitlines()
    assert int(user) not in (0, os.getuid())
    assert powers.split() == ["CapEff:", "0000000000000000", "NoNewPrivs:", "1", "Seccomp:", "2"]


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_no_network_not_even_of_this_machine(listener: int) -> None:
    done = await python(f"""
import socket
for family, place in ((socket.AF_INET, ("127.0.0.1", {listener})), (socket.AF_INET, ("169.254.169.254", 80)),
                      (socket.AF_INET, ("1.1.1.1", 443)), (socket.AF_INET6, ("::1", {listener}))):
    try:
        with socket.socket(family) as s:
            s.settimeout(2)
            s.connect(place)
        print("reached", place)
    except OSError as error:
        print("no", error.errno)
with open("/proc/net/dev") as file:
    print(sorted(line.split(":")[0].strip() for line in file if ":" in line))
""")
    *tries, devices = done.stdout.splitlines()
    assert len(tries) == 4, done.stderr
    assert all(t.startswith("no") for t in tries)
    assert devices == "['lo']"


async def test_no_other_kind_of_socket() -> None:
    """A network namespace doesn't hold AF_VSOCK, and netlink and packet sockets have had holes."""
    done = await python("""
import socket
for family in (40, 38, 17, 16):
    try:
        print("made", socket.socket(family, socket.SOCK_RAW if family in (16, 17) else socket.SOCK_STREAM))
    except OSError as error:
        print(error.errno)
""")
    assert done.stdout.split() == ["1"] * 4


async def test_nothing_of_the_host_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "token"
    secret.write_text("canary-of-the-host")
    monkeypatch.setenv("KUBECONFIG", "canary-in-the-environment")
    places = [secret, "/etc/shadow", "/etc/passwd", "/root", "/home", "/var/run/secrets", "/var/run/docker.sock",
              "/run", "/sys/kernel", Path.home() / ".kube/config", Path(__file__)]  # fmt: skip
    done = await bash("\n".join(f"cat {p} || ls {p}/" for p in places) + "\nenv; cat /proc/*/environ")
    assert "canary" not in done.stdout
    assert "root:" not in done.stdout
    names = {line.partition("=")[0] for line in done.stdout.replace("\0", "\n").splitlines() if "=" in line}
    assert names <= {"PATH", "HOME", "TMPDIR", "LANG", "PWD", "OLDPWD", "SHLVL", "_"}


async def test_a_link_leads_nowhere_it_could_not_go_itself(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("canary")
    done = await bash(
        f"ln -s {tmp_path}/token a; ln -s / b; cat a; cat b{tmp_path}/token; ln {SCRIPT} c; ls /proc/1/root/"
    )
    assert "canary" not in done.stdout
    assert done.stderr.count("No such file") >= 2


async def test_no_other_process_can_be_seen_or_touched() -> None:
    with subprocess.Popen(["/bin/sleep", "60"], env={"A": "canary"}) as other:  # noqa: ASYNC220  (it only sleeps)
        try:
            done = await bash(
                f"ls -d /proc/[0-9]* | wc -l; cat /proc/{other.pid}/environ; kill -9 {other.pid}; kill -9 -1"
            )
            assert int(done.stdout.split()[0]) < 8
            assert "canary" not in done.stdout
            assert other.poll() is None
        finally:
            other.kill()


async def test_a_fork_bomb_is_held_and_leaves_nothing_behind() -> None:
    began = time.monotonic()
    done = await bash("f() { f | f & }; f; while :; do :; done", limits=Limits(seconds=2))
    assert done.stopped == "time"
    assert "Resource temporarily unavailable" in done.stderr
    assert time.monotonic() - began < 15
    assert await _gone("/script")


async def test_processes_are_counted() -> None:
    done = await python("""
import os, time
made = 0
try:
    for _ in range(500):
        if not os.fork():
            time.sleep(5)
            os._exit(0)
        made += 1
except OSError:
    pass
print(made, flush=True)
os._exit(0)
""")
    assert 10 < int(done.stdout) < 64


async def test_the_disk_can_be_filled_only_so_far_and_only_its_own() -> None:
    done = await bash("head -c 200M /dev/zero > a; stat -c %s a; for p in / /usr /etc /dev /dev/shm /proc; do "
                      "touch $p/x && echo wrote $p; done; echo x > /script; echo y >> /usr/bin/env")  # fmt: skip
    assert int(done.stdout.split()[0]) <= SHORT.disk_bytes
    assert "wrote" not in done.stdout
    assert done.stderr.count("Read-only") + done.stderr.count("denied") >= 6


async def test_memory_is_limited_for_one_process_and_for_all_together() -> None:
    one = await python("x = b'a' * (700 << 20)")
    assert "MemoryError" in one.stderr
    limits = Limits(seconds=20, memory_bytes=128 << 20)
    many = "for i in 1 2 3; do python3 -c 'x = b\"a\" * (60 << 20); import time; time.sleep(30)' & done; wait"
    assert (await bash(many, limits=limits)).stopped == "memory"
    # Shared memory counts as well: each of these is far below the limit of one process.
    share = (
        "import mmap, time; m = mmap.mmap(-1, 60 << 20); [m.write(bytes(4096)) for _ in range(15_000)]; time.sleep(30)"
    )
    assert (await bash(f'for i in 1 2 3; do python3 -c "{share}" & done; wait', limits=limits)).stopped == "memory"


async def test_memory_that_no_limit_counts_can_not_be_had() -> None:
    done = await python("""
import ctypes, os
c = ctypes.CDLL(None, use_errno=True)
for name, arguments in (("memfd_create", (b"x", 0)), ("shmget", (0, 1 << 20, 0o1600)),
                        ("msgget", (0, 0o1600)), ("unshare", (0x10000000,)), ("ptrace", (0, 0, 0, 0)),
                        ("mount", (b"x", b"/work", b"tmpfs", 0, 0))):
    print(name, getattr(c, name)(*arguments), ctypes.get_errno())
""")
    assert [line.split()[1:] for line in done.stdout.splitlines()] == [["-1", "1"]] * 6, done.stdout


async def test_time_is_limited_whatever_it_does_with_signals() -> None:
    done = await bash("trap '' TERM INT HUP; (trap '' TERM; sleep 293) & sleep 293", limits=Limits(seconds=1))
    assert (done.stopped, done.exit_code) == ("time", -9)
    assert await _gone("sleep 293")


async def test_output_is_limited() -> None:
    done = await bash("yes", limits=Limits(output_bytes=10_000))
    assert (done.stopped, len(done.stdout)) == ("output", 10_000)


async def test_nothing_is_left_when_the_caller_goes_away() -> None:
    job = asyncio.create_task(bash("sleep 271"))
    async with asyncio.timeout(10):
        while not _running("sleep 271"):  # noqa: ASYNC110  (a test polls as people do)
            await asyncio.sleep(0.02)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert await _gone("sleep 271")


async def test_two_at_once_do_not_meet() -> None:
    scripts = (f"echo {i} > x; sleep 0.3; cat *; ls /work | wc -l" for i in range(3))
    done = await asyncio.gather(*map(bash, scripts))
    assert [d.stdout.split() for d in done] == [[str(i), "1"] for i in range(3)]


async def test_without_bubblewrap_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "PROGRAMS", "/nowhere")
    with pytest.raises(NoSandbox) as refused:
        await bash("echo ran")
    assert refused.value.hint == "apt-get install bubblewrap"


async def test_where_it_can_not_be_made_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    walls = sandbox._walls
    monkeypatch.setattr(sandbox, "_walls", lambda *a, **k: [*walls(*a, **k)[:-1], "--ro-bind", "/nowhere", "/x", "--"])
    with pytest.raises(NoSandbox, match="nowhere"):
        await bash("echo ran")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_it_works_as_somebody_who_is_not_root(tmp_path: Path) -> None:
    """The same program as the user nobody: user namespaces in place of powers."""
    if not Path("/usr/bin/python3").exists():
        pytest.skip("the user nobody has no Python to read here")
    source = Path(sandbox.__file__).parents[3]
    shutil.copytree(source / "kubemend", tmp_path / "kubemend", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["/bin/chmod", "-R", "a+rX", tmp_path], check=True)
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        folder.chmod(folder.stat().st_mode | 0o011)
    packages = next(p for p in sys.path if p.endswith("site-packages"))
    nobody = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    command = [*nobody, "/usr/bin/python3", "-B", "-c", AS_NOBODY, str(tmp_path), packages]
    made = subprocess.run(command, capture_output=True, text=True, check=False, env={"TMPDIR": "/tmp"})
    assert "stdout='65534\\nx\\n'" in made.stdout, made.stderr


AS_NOBODY = """
import asyncio, sys
sys.path[:0] = sys.argv[1:]
from kubemend.tools.shell.sandbox import run
print(asyncio.run(run(['/bin/bash', '/script'], script='id -u; cat /proc/1/environ; echo x > y && cat y')))
"""


def _running(words: str) -> bool:
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if one.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip().endswith(words):
                return True
        except OSError:
            continue
    return False


async def _gone(words: str) -> bool:
    async with asyncio.timeout(5):
        while _running(words):  # noqa: ASYNC110  (a test polls as people do)
            await asyncio.sleep(0.02)
    return True
