"""The protocol's official JavaScript client: fetched once for its lock file, and run with one task at a time."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from kubemend.surfaces.cli.options import Access

CLIENT = Path(__file__).with_name("mcp_client")
PACKAGE = ("package.json", "package-lock.json")
FETCH_S = 150


class NoNode(Exception):
    """The client can't be had here; the message says why and what to do."""


def packages() -> Path:
    """The folder with the `node_modules` of the lock file, fetched first if need be.

    It is `${XDG_CACHE_HOME:-~/.cache}/kubemend/mcp-client/HASH/`, where HASH is over package.json and the lock file.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubemend" / "mcp-client"
    into = cache / hashlib.sha256(b"".join((CLIENT / name).read_bytes() for name in PACKAGE)).hexdigest()
    if not all(map(shutil.which, ("node", "npm"))):
        raise NoNode("there is no Node.js with npm here (https://nodejs.org, 20+)")
    if not into.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        _fetch(into)
    return into


def _fetch(into: Path) -> None:
    """`npm ci` in a folder of our own, which becomes `into` when it is whole, unless another process was faster."""
    scratch = Path(tempfile.mkdtemp(dir=into.parent))
    try:
        for name in PACKAGE:
            shutil.copy(CLIENT / name, scratch)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=FETCH_S, check=False)
        if done.returncode:
            raise NoNode(f"npm ci failed: {done.stderr.strip()[-500:]}")
        with contextlib.suppress(OSError):
            scratch.rename(into)
        if not into.is_dir():
            raise NoNode(f"{scratch} could not become {into}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def installed(folder: Path) -> Path:
    """The client beside its packages: Node.js looks for those from the file's own place upwards."""
    (folder / "node_modules").symlink_to(packages() / "node_modules")
    return Path(shutil.copy(CLIENT / "client.mjs", folder))


def over_stdio(access: Access) -> dict[str, Any]:
    """Our server as this client starts it."""
    words = ["-m", "kubemend", "mcp", "serve", "--kubeconfig", str(access.kubeconfig), "--store", str(access.store)]
    return {"command": sys.executable, "args": [*words, *(["--allow-changes"] if access.allow_changes else [])]}


async def run(
    client: Path,
    server: dict[str, Any],
    *calls: tuple[str, dict[str, Any]],
    person: str | None = None,
    fails: int | None = None,
) -> dict[str, Any]:
    """What the client saw: server, tools, shown, progress and answers (see mcp_client/client.mjs).

    fails: the code of the error with which it must end; None where it must come to its end without one.
    """
    task = json.dumps({"server": server, "person": person, "calls": calls})
    process = await asyncio.create_subprocess_exec("node", str(client), task, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    assert process.returncode == 0
    seen = json.loads(told)
    assert (seen["failed"] or {}).get("code") == fails, seen["failed"]
    assert fails is not None or seen["failed"] is None, seen["failed"]
    return seen
