"""The small programs that nearly every image has, as far as a pod's behaviour can hang on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kubemend.lab.node.process import Process, Program
from kubemend.lab.node.shell import sh

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


async def echo(process: Process, argv: Sequence[str]) -> int:
    """Print its arguments."""
    words = argv[1:]
    process.write(" ".join(words[1:] if words and words[0] in ("-n", "-e", "-ne") else words))
    return 0


async def printf(process: Process, argv: Sequence[str]) -> int:
    """Print, with `%s` and `\\n` filled in."""
    text = argv[1] if len(argv) > 1 else ""
    for value in argv[2:]:
        text = text.replace("%s", value, 1)
    process.write(text.replace("\\n", "\n").rstrip("\n"))
    return 0


async def sleep(process: Process, argv: Sequence[str]) -> int:
    """Wait; as a container's first process it doesn't hear SIGTERM, as the kernel has it for process 1."""
    process.grace_s = None
    seconds = _seconds(argv[1:])
    if seconds is None:
        process.write(f"sleep: invalid number '{' '.join(argv[1:])}'")
        return 1
    if math.isinf(seconds):
        return await process.forever()
    await process.sleep(seconds)
    return 0


def _seconds(words: Sequence[str]) -> float | None:
    """The sum of `10`, `1.5m`, `infinity`; None when one is no duration."""
    total = 0.0
    for word in words:
        number, unit = (word[:-1], _UNITS[word[-1]]) if word[-1:] in _UNITS else (word, 1)
        if word in ("inf", "infinity"):
            return math.inf
        if not number.replace(".", "", 1).isdigit():
            return None
        total += float(number) * unit
    return total if words else None


async def true(_process: Process, _argv: Sequence[str]) -> int:
    """0."""
    return 0


async def false(_process: Process, _argv: Sequence[str]) -> int:
    """1."""
    return 1


async def test(process: Process, argv: Sequence[str]) -> int:
    """`test` and `[`: strings, numbers, and files this container made."""
    words = [w for w in argv[1:] if w != "]"]
    if words[:1] == ["!"]:
        return 1 - await test(process, ["test", *words[1:]])
    match words:
        case ["-n", text]:
            return int(text == "")
        case ["-z", text]:
            return int(text != "")
        case ["-f" | "-e" | "-s" | "-r", path]:
            return int(path not in process.files)
        case ["-d", path]:
            return int(not any(f.startswith(path.rstrip("/") + "/") for f in (*process.files, *process.writable)))
        case [a, "=" | "==", b]:
            return int(a != b)
        case [a, "!=", b]:
            return int(a == b)
        case [a, "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" as operator, b]:
            return _compare(a, operator, b)
        case [text]:
            return int(text == "")
    return 1


def _compare(a: str, operator: str, b: str) -> int:
    if not (a.lstrip("-").isdigit() and b.lstrip("-").isdigit()):
        return 2
    x, y = int(a), int(b)
    results = {"-eq": x == y, "-ne": x != y, "-lt": x < y, "-le": x <= y, "-gt": x > y, "-ge": x >= y}
    return int(not results[operator])


async def touch(process: Process, argv: Sequence[str]) -> int:
    """Make files (`mkdir` too)."""
    code = 0
    for path in (w for w in argv[1:] if not w.startswith("-")):
        if process.can_write(path):
            process.files.add(path)
        else:
            process.write(f"{argv[0]}: {path}: Read-only file system")
            code = 1
    return code


async def rm(process: Process, argv: Sequence[str]) -> int:
    """Remove files."""
    words = [w for w in argv[1:] if not w.startswith("-")]
    missing = [w for w in words if w not in process.files]
    process.files.difference_update(words)
    if missing and not any("f" in w for w in argv[1:] if w.startswith("-")):
        process.write(f"rm: can't remove '{missing[0]}': No such file or directory")
        return 1
    return 0


async def cat(process: Process, argv: Sequence[str]) -> int:
    """Succeeds for files that are there (`ls` and `head` too)."""
    for path in (w for w in argv[1:] if not w.startswith("-")):
        if path not in process.files and path != "/dev/null":
            process.write(f"{argv[0]}: can't open '{path}': No such file or directory")
            return 1
    return 0


async def tail(process: Process, argv: Sequence[str]) -> int:
    """`tail -f` never ends."""
    if any(w.startswith("-") and ("f" in w or "F" in w) for w in argv[1:]):
        process.grace_s = None
        return await process.forever()
    return await cat(process, argv)


async def printenv(process: Process, argv: Sequence[str]) -> int:
    """One variable, or all (`env` too)."""
    if len(argv) > 1:
        if argv[1] not in process.env:
            return 1
        process.write(process.env[argv[1]])
        return 0
    for name, value in process.env.items():
        process.write(f"{name}={value}")
    return 0


async def hostname(process: Process, _argv: Sequence[str]) -> int:
    """The pod's name."""
    process.write(process.env.get("HOSTNAME", ""))
    return 0


async def httpd(process: Process, argv: Sequence[str]) -> int:
    """busybox `httpd -f -p 8080`: serves every path it's asked for at its root only."""
    process.serve(_port(argv, 80), "/", "/index.html")
    return await process.forever()


async def nc(process: Process, argv: Sequence[str]) -> int:
    """`nc -l -p PORT` listens; `nc -z HOST PORT` tries to connect."""
    options = [w for w in argv[1:] if w.startswith("-")]
    words = [w for w in argv[1:] if not w.startswith("-")]
    if any("l" in o for o in options):
        process.serve(_port(argv, int(words[-1]) if words and words[-1].isdigit() else 0))
        return await process.forever()
    if len(words) < 2 or not words[-1].isdigit():
        return 1
    return await _reach(process, words[-2], int(words[-1]), "nc")


def _port(argv: Sequence[str], default: int) -> int:
    words = list(argv)
    text = words[words.index("-p") + 1] if "-p" in words[:-1] else ""
    return int(text) if text.isdigit() else default


async def wget(process: Process, argv: Sequence[str]) -> int:
    """Fetch a URL (`curl` too): fails as the connection does."""
    url = next((w for w in reversed(argv[1:]) if not w.startswith("-")), "")
    scheme, _, rest = url.rpartition("://")
    host, _, port = rest.partition("/")[0].partition(":")
    return await _reach(process, host, int(port) if port.isdigit() else 443 if scheme == "https" else 80, argv[0])


async def nslookup(process: Process, argv: Sequence[str]) -> int:
    """Look a Service's name up."""
    return await _reach(process, argv[1] if len(argv) > 1 else "", 0, "nslookup")


async def _reach(process: Process, host: str, port: int, program: str) -> int:
    if error := await process.connect(host, port):
        process.write(f"{program}: {error}")
        return 1
    return 0


async def busybox(process: Process, argv: Sequence[str]) -> int:
    """`busybox APPLET …`."""
    program = APPLETS.get(argv[1]) if len(argv) > 1 else None
    if program is None:
        process.write(f"{argv[1] if len(argv) > 1 else 'busybox'}: applet not found")
        return 127
    return await program(process, argv[1:])


SHELL: Mapping[str, Program] = {
    "sh": sh,
    "echo": echo,
    "printf": printf,
    "sleep": sleep,
    "true": true,
    ":": true,
    "false": false,
    "test": test,
    "[": test,
    "touch": touch,
    "mkdir": touch,
    "rm": rm,
    "cat": cat,
    "ls": cat,
    "head": cat,
    "tail": tail,
    "env": printenv,
    "printenv": printenv,
    "hostname": hostname,
    "date": true,
    "id": true,
}
"""What any image with a shell has."""

APPLETS: Mapping[str, Program] = {
    **SHELL,
    "httpd": httpd,
    "nc": nc,
    "wget": wget,
    "nslookup": nslookup,
    "busybox": busybox,
}
"""What busybox has on top."""
