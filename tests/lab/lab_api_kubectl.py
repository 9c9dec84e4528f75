"""Stock kubectl as an object, for tests against the practice API server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubemend.lab.server import PracticeServer

FOUND = next(
    (
        p
        for p in (os.environ.get("KUBEMEND_KUBECTL"), "/tmp/tb/kubectl", shutil.which("kubectl"))
        if p and Path(p).exists()
    ),
    "",
)
"""Where kubectl is; empty when it is nowhere."""


@dataclass
class Kubectl:
    server: PracticeServer
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.home / "config"), "HOME": str(self.home), "PATH": os.environ["PATH"]}

    async def tried(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            FOUND,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
        )
        out, err = await process.communicate(stdin.encode())
        return process.returncode or 0, out.decode(), err.decode()

    async def __call__(self, *arguments: str, stdin: str = "") -> str:
        code, out, err = await self.tried(*arguments, stdin=stdin)
        assert code == 0, f"kubectl {' '.join(arguments)}: {err}"
        return out

    async def json(self, *arguments: str) -> Any:
        return json.loads(await self(*arguments, "--output=json"))
