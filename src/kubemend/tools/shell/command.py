"""Carrying out words: kubectl by our own reading, a script by its verdict, any other program in the sandbox."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from kubemend.model.errors import KubemendError
from kubemend.model.order import Order
from kubemend.tools.look import Look
from kubemend.tools.shell.orders import order
from kubemend.tools.shell.ran import Ran, ran
from kubemend.tools.shell.reads import PIPED, SHOWN, read, stream
from kubemend.tools.shell.sandbox import SCRIPT, Grant, Limits, run
from kubemend.tools.shell.verdict import Class, Verdict, judge_bash, judge_words

USUAL, NOTHING = Limits(), Grant()
NOT_FOLLOWED = "what there is now; it is not followed, ask again for what comes later"


class CommandRefused(KubemendError):
    """A command that is not carried out."""

    code = "command-refused"


def refusal(found: Verdict) -> CommandRefused:
    """Why a command is not carried out."""
    if found.is_ is Class.WRITE:
        hint = "use the tool for that change, such as scale_deployment, or one plain kubectl command"
        return CommandRefused(f"taken for a write: {found.why}", hint=hint)
    return CommandRefused(found.why)


async def kubectl(cluster: Look, command: str, found: Verdict, given: str = "") -> Ran | Order:
    """A judged kubectl command: a read is done, a write becomes an order."""
    if found.is_ is Class.WRITE and found.asked is not None:
        return await order(cluster, found.asked, given)
    if found.is_ is not Class.READ or found.asked is None:
        raise refusal(found)
    stdout = await read(cluster, found.asked, SHOWN)
    streamed = stream(found.asked)
    return Ran(command, found.is_, stdout, NOT_FOLLOWED if streamed else "", stream_type=streamed)


async def script(cluster: Look, text: str, given: str = "", limits: Limits = USUAL, grant: Grant = NOTHING) -> Ran:
    """A script: in the sandbox, behind the one kubectl read that may stand at its head."""
    found = judge_bash(text)
    body, data = text, given
    if found.is_ is not Class.CONTAINED:
        if found.is_ is not Class.READ or found.asked is None:
            raise refusal(found)
        # Redacted before the script has it: it could hide a secret from us by writing it another way.
        told = await read(cluster, found.asked, PIPED if found.asked.piped else SHOWN)
        if not found.asked.piped:
            return Ran(text, found.is_, told)
        body, data = found.asked.piped, told + "\n"
    done = await run(["/bin/bash", SCRIPT], script=body, given=data.encode(), limits=limits, grant=grant)
    return ran(text, found.is_, done)


async def carry_out(cluster: Look, argv: Sequence[str], *, grant: Grant, limits: Limits) -> Ran | Order:
    """Words of a custom tool."""
    command = shlex.join(argv)
    if Path(argv[0]).name == "kubectl":
        return await kubectl(cluster, command, judge_words(("kubectl", *argv[1:])))
    if Path(argv[0]).name in ("bash", "sh") and len(argv) == 3 and argv[1] == "-c":
        return await script(cluster, argv[2], limits=limits, grant=grant)
    if any("kubectl" in word for word in argv):
        raise CommandRefused("kubectl stands where it can't be judged", hint="make it the command itself")
    return ran(command, Class.CONTAINED, await run(argv, limits=limits, grant=grant))
