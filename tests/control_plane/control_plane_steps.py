"""Having something done at a named step of a repair: to the ledger, or to the cluster."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import kubemend.store.repairs
from kubemend.engine.guard.hands import Hands
from kubemend.model.repair import State
from kubemend.store.repairs import Repairs

Act = Callable[[], Awaitable[None] | None]
Patched = Callable[[Any, str, Any], None]


def at(step: str, act: Act, patched: Patched = setattr) -> None:
    """Have `act` done at a step: "NAME WHEN" or "NAME WHEN N", the N-th time it comes by (first: 1).

    NAME: a method of Repairs (propose, begin, remember, intend, outcome, beat, reopen, adopt), a state that is moved
    to (applying), or what is done to the cluster (write: dry runs don't count; restore). WHEN: before, after, or
    during: for the cluster while the request is under way, for the ledger in its transaction, before it is committed.
    """
    name, when, *rest = step.split()
    nth, seen = int(rest[0]) if rest else 1, 0
    owner, method, wanted = _place(name)
    real = getattr(owner, method)

    @functools.wraps(real)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal seen
        mine = wanted(args, kwargs)
        # What fails (a conflict with a controller, say) has no "after": there its next try is meant.
        seen += mine and when != "after"
        here = mine and seen == nth
        if here and when == "before":
            await _done(act)
        if here and when == "during":
            if owner is Hands:
                asyncio.get_running_loop().call_later(0.004, act)
            else:
                _in_transaction(act, patched)
        result = await real(*args, **kwargs)
        seen += mine and when == "after"
        if mine and when == "after" and seen == nth:
            await _done(act)
        return result

    patched(owner, method, wrapped)


def _place(name: str) -> tuple[type, str, Callable[[Any, Any], bool]]:
    if name in ("write", "restore"):
        return Hands, name, lambda _args, kwargs: not kwargs.get("dry_run")
    if name in set(State):
        return Repairs, "move", lambda args, _kwargs: args[2] == name
    return Repairs, name, lambda _args, _kwargs: True


def _in_transaction(act: Act, patched: Patched) -> None:
    """The row is changed and its audit record written, but neither committed."""
    append = kubemend.store.repairs.append

    async def then(*args: Any, **kwargs: Any) -> None:
        await append(*args, **kwargs)
        await _done(act)

    patched(kubemend.store.repairs, "append", then)


async def _done(act: Act) -> None:
    result = act()
    if result is not None:
        await result
