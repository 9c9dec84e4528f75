"""Probes: what the kubelet would learn of a pretended process by asking it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kubemend.lab.api import Object
from kubemend.lab.node.process import Process, find_program

SHORTEST_S = 0.05
"""Real seconds between two checks at least, so that a fast pace makes no busy loop."""

Failed = Callable[[str], Awaitable[None]]
"""Told of each failed check."""


class Unknown(Exception):
    """The check itself went wrong; its result is thrown away. The message says how."""


@dataclass(frozen=True)
class Target:
    """What is asked: the container and its running process, at the pod's address."""

    container: Object
    process: Process
    ip: str


async def check(probe: Object, target: Target) -> str:
    """Ask once. Returns the failure as the kubelet words it, or "" for success. Raises `Unknown`."""
    if (action := probe.get("httpGet")) is not None:
        return _http(action, probe, target)
    if (action := probe.get("tcpSocket")) is not None:
        port = _port(action["port"], target)
        return "" if target.process.listens(port) else f"dial tcp {target.ip}:{port}: connect: connection refused"
    if (action := probe.get("exec")) is not None:
        return await _exec(action.get("command") or [], probe, target)
    if (action := probe.get("grpc")) is not None:
        return _grpc(action["port"], probe, target)
    raise Unknown("missing probe handler")


def _http(action: Object, probe: Object, target: Target) -> str:
    port, process = _port(action["port"], target), target.process
    scheme, path = action.get("scheme", "HTTP"), action.get("path") or "/"
    url = f"{scheme.lower()}://{action.get('host') or target.ip}:{port}{path if path.startswith('/') else '/' + path}"
    if not process.listens(port):
        return f'Get "{url}": dial tcp {target.ip}:{port}: connect: connection refused'
    if process.behaviour.response > (probe.get("timeoutSeconds") or 1):
        return f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    paths = process.served[port]
    if paths is None:
        return f'Get "{url}": net/http: HTTP/1.x transport connection broken: malformed HTTP response'
    if scheme == "HTTPS":
        return f'Get "{url}": http: server gave HTTP response to HTTPS client'
    return "" if path.partition("?")[0] in paths else "HTTP probe failed with statuscode: 404"


async def _exec(command: list[str], probe: Object, target: Target) -> str:
    lines: list[str] = []
    child = target.process.child(lines.append)
    program = find_program(child.programs, command[0]) if command else None
    if program is None:
        named = command[0] if command else ""
        raise Unknown(f'rpc error: code = Unknown desc = failed to exec in container: exec: "{named}": {MISSING}')
    limit = probe.get("timeoutSeconds") or 1
    try:
        async with asyncio.timeout(max(SHORTEST_S, limit * child.pace)):
            code = await program(child, command)
    except TimeoutError:
        return f'command timed out: "{" ".join(command)}" timed out after {limit}s'
    return "" if code == 0 else ("\n".join(lines) or f"exit status {code}")


def _grpc(port: int, probe: Object, target: Target) -> str:
    seconds = probe.get("timeoutSeconds") or 1
    return (
        f'timeout: failed to connect service "{target.ip}:{port}" within {seconds}s: context deadline exceeded'
        if not target.process.listens(port)
        else "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
    )


def _port(port: int | str, target: Target) -> int:
    if isinstance(port, int):
        return port
    if port.isdigit():
        return int(port)
    named = (p for p in target.container.get("ports") or () if p.get("name") == port)
    found = next(named, None)
    if found is None:
        raise Unknown(f"couldn't find port: {port}")
    return int(found["containerPort"])


MISSING = "executable file not found in $PATH"


async def verdict(probe: Object, kind: str, target: Target, *, wanted: frozenset[bool], failed: Failed) -> bool:
    """Check on time until one of the `wanted` results has come often enough in a row; returns which.

    kind: "Readiness", "Liveness" or "Startup", for what `failed` is told.
    """
    thresholds = {True: probe.get("successThreshold") or 1, False: probe.get("failureThreshold") or 3}
    period = max(SHORTEST_S, (probe.get("periodSeconds") or 10) * target.process.pace)
    last, run = None, 0
    while True:
        target.process.changed.clear()
        try:
            said = await check(probe, target)
        except Unknown as problem:
            await failed(f"{kind} probe errored and resulted in unknown state: {problem}")
            await asyncio.sleep(period)
            continue
        if said:
            await failed(f"{kind} probe failed: {said}")
        last, run = not said, run + 1 if last is not bool(said) else 1
        if last in wanted and run >= thresholds[last]:
            return last
        await _next(probe, target, period, steady=last and run >= thresholds[True])


async def _next(probe: Object, target: Target, period: float, *, steady: bool) -> None:
    """Wait for the next check. A network probe that succeeds will go on to, unless what the process serves changes."""
    if steady and not probe.get("exec"):
        await target.process.changed.wait()
    else:
        await asyncio.sleep(period)


async def delay(probe: Object, process: Process) -> None:
    """Wait out `initialDelaySeconds`."""
    await process.sleep(probe.get("initialDelaySeconds") or 0)
