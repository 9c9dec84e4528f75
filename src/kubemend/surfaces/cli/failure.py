"""How an error is told: one block on stderr, never a traceback."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Sequence

from kubemend.model.errors import KubemendError
from kubemend.surfaces.cli.words import plain


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for JSON. Read from the raw words: it must also work when they can't be parsed."""
    spelled = ("-ojson", "-o=json", "--output=json")
    pairs = itertools.pairwise(arguments)
    return any(a in spelled for a in arguments) or any(a in ("-o", "--output") and b == "json" for a, b in pairs)


def block(error: KubemendError) -> str:
    """`error[code]: what`, then where and what to do, if known."""
    lines = [f"error[{error.code}]: {plain(error.message)}"]
    lines += [f"  {k}: {plain(v)}" for k, v in (("where", error.where), ("hint", error.hint)) if v]
    return "\n".join(lines)


def tell(error: KubemendError, *, as_json: bool) -> None:
    """Print it to stderr."""
    if as_json:
        body = {"code": error.code, "message": error.message, "where": error.where, "hint": error.hint}
        text = json.dumps({"error": {k: v for k, v in body.items() if v}})
    else:
        text = block(error)
    sys.stderr.write(text + "\n")
