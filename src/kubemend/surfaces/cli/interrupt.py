"""Ctrl-C (and SIGTERM) while a command is at work: once means "stop well", twice "leave now"."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kubemend.model.errors import KubemendError

STOP = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KubemendError):
    """A person stopped the program. Says how far it came."""

    code = "interrupted"
    exit_status = 130


@contextmanager
def on_stop(callback: Callable[[], None]) -> Iterator[None]:
    """Call back at each SIGINT or SIGTERM inside the block, in place of what they did before."""
    loop = asyncio.get_running_loop()
    before = {s: signal.getsignal(s) for s in STOP}
    for s in STOP:
        loop.add_signal_handler(s, callback)
    try:
        yield
    finally:
        for s in STOP:
            loop.remove_signal_handler(s)
            signal.signal(s, before[s])
