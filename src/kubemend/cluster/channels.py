"""A command in a container, over one WebSocket: what it printed, and how it ended.

The protocol v5.channel.k8s.io (KEP-4006): each message begins with the number of its channel; 1 and 2 are the output,
3 is a Status at the end. Only the guard's hands come here, through the Writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from msgspec import Struct

from kubemend.cluster.errors import READ_BACK, OutcomeUnknown, Refused, excerpt

if TYPE_CHECKING:
    from kubemend.cluster.transport import Transport

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDOUT, STDERR, STATUS = 1, 2, 3
KEPT = 32 << 10
"""Bytes of each output that are kept, from its end."""


class _Cause(Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _Details(Struct, frozen=True):
    causes: tuple[_Cause, ...] | None = None


class _Status(Struct, frozen=True):
    status: str = ""
    reason: str = ""
    message: str = ""
    details: _Details | None = None


class Ended(Struct, frozen=True):
    """How a command ended. Of long outputs only the end is kept."""

    exit_code: int
    stdout: str
    stderr: str


async def run(transport: Transport, path: str, params: Sequence[tuple[str, str]], *, within: float) -> Ended:
    """Run a command, once. Refused when it could not be begun; OutcomeUnknown when its end was not seen in time."""
    where = f"GET {path}"
    kept = {STDOUT: bytearray(), STDERR: bytearray()}
    ended: _Status | None = None
    try:
        async with asyncio.timeout(within), transport.socket(path, params, PROTOCOLS) as socket:
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                    continue
                channel, data = message.data[0], message.data[1:]
                if channel in kept:
                    kept[channel] += data
                    del kept[channel][:-KEPT]
                elif channel == STATUS:
                    ended = msgspec.json.decode(data, type=_Status)
                    break
    except TimeoutError as error:
        said = f"the command did not end within {within:g} s and may still run"
        raise OutcomeUnknown(said, where=where, hint=READ_BACK) from error
    except msgspec.DecodeError as error:
        raise OutcomeUnknown("the end of the command can't be read", where=where, hint=READ_BACK) from error
    if ended is None:
        raise OutcomeUnknown("the connection ended before the command did", where=where, hint=READ_BACK)
    stdout, stderr = (bytes(kept[c]).decode(errors="replace") for c in (STDOUT, STDERR))
    return Ended(_code(ended, where), stdout, stderr)


def _code(ended: _Status, where: str) -> int:
    """The exit code. Refused when there was none: the program could not be run at all."""
    if ended.status == "Success":
        return 0
    causes = (ended.details.causes if ended.details else None) or ()
    code = next((c.message for c in causes if c.reason == "ExitCode"), "")
    if ended.reason != "NonZeroExitCode" or not code.lstrip("-").isdigit():
        raise Refused(f"the command could not be run: {excerpt(ended.message)}", status=500, where=where)
    return int(code)
