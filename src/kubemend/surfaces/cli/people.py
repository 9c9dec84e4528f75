"""The person at the keyboard: who it is, and asking them."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import sys

from rich.text import Text

from kubemend.surfaces.cli import output


def actor() -> str:
    """Who this is, for the audit trail: user and host."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


async def ask(question: str, answers: tuple[str, ...]) -> int | None:
    """Let a person choose by number. The index of the answer, or None when the input ends without one."""
    while True:
        choices = "   ".join(f"{i} {a}" for i, a in enumerate(answers, start=1))
        output.say(Text.assemble((question, "bold"), f"   {choices}"))
        said = await _line()
        if said is None:
            return None
        said = said.strip().lower()
        for index, answer in enumerate(answers):
            if said in (str(index + 1), answer.lower()):
                return index


async def _line() -> str | None:
    """One line of stdin, waited for without a thread, so that Ctrl-C ends the wait; None at its end."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(sys.stdin, ready.set)
    except (OSError, ValueError):
        # A file, /dev/null or text in memory can't be waited for, and never has to be.
        return sys.stdin.readline() or None
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline() or None
