"""A small POSIX-like shell, so that `sh -c` does here what it would do in a container.

Understood: lists (`;`, newline, `&&`, `||`, `&`), pipes (the last command decides), quotes, variables, `$?`, command
substitution, redirections to files, `if`, `while`, `until`, `for`, `{ }`, `( )`. Functions and `case` are not.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from kubemend.lab.node.process import Process, find_program
from kubemend.lab.node.syntax import Command, If, List, Loop, Node, parse
from kubemend.lab.node.words import SyntaxProblem, Word

_TURN_S = 0.02
"""Least real time of one turn of a loop, so that a busy loop in a pod is none in this process."""

_VARIABLE = re.compile(
    r"\$(?:(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?::?-(?P<default>[^}]*))?\}|(?P<mark>[?$#@0-9]))"
)


class Exit(Exception):
    """`exit N` or a failure under `set -e`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Leave(Exception):
    """`break` or `continue`."""

    def __init__(self, again: bool) -> None:
        super().__init__(again)
        self.again = again


async def sh(process: Process, argv: Sequence[str]) -> int:
    """`sh -c SCRIPT`, with options as in `sh -ec`."""
    options = [a for a in argv[1:] if a.startswith("-")]
    words = [a for a in argv[1:] if not a.startswith("-")]
    if not any("c" in o for o in options) or not words:
        return 0
    process.grace_s = None
    return await _Shell(process, strict=any("e" in o for o in options)).run(words[0])


class _Shell:
    def __init__(self, process: Process, *, strict: bool) -> None:
        self.process, self.strict, self.status = process, strict, 0
        self._beside: set[asyncio.Task[int]] = set()

    async def run(self, script: str) -> int:
        """Run a script to its end; what it left running beside ends with it."""
        try:
            tree = parse(script)
        except SyntaxProblem as problem:
            self.process.write(f"sh: syntax error: {problem}")
            return 2
        try:
            return await self._tree(tree)
        finally:
            for task in self._beside:
                task.cancel()

    async def _tree(self, tree: Node) -> int:
        try:
            await self._node(tree)
        except Exit as left:
            return left.code
        except _Leave:
            return self.status
        return self.status

    async def beside(self, node: Node) -> int:
        """Run part of a script as a job of its own."""
        return await self._tree(node)

    async def _node(self, node: Node) -> None:
        match node:
            case List():
                await self._list(node)
            case If():
                await self._if(node)
            case Loop():
                await self._loop(node)
            case Command():
                await self._command(node)

    async def _list(self, node: List) -> None:
        for joint, item in node.items:
            if (joint == "&&" and self.status) or (joint == "||" and not self.status):
                continue
            if joint == "&":
                self._beside.add(asyncio.create_task(_Shell(self.process, strict=self.strict).beside(item)))
                continue
            await self._node(item)
        if self.strict and self.status and not node.tested:
            raise Exit(self.status)

    async def _quietly(self, node: Node) -> bool:
        """Run a condition: its failure is an answer, not an error."""
        strict, self.strict = self.strict, False
        try:
            await self._node(node)
        finally:
            self.strict = strict
        return self.status == 0

    async def _if(self, node: If) -> None:
        for condition, body in node.branches:
            if await self._quietly(condition):
                await self._node(body)
                return
        self.status = 0
        if node.otherwise is not None:
            await self._node(node.otherwise)

    async def _loop(self, node: Loop) -> None:
        values = None if node.values is None else [v for w in node.values for v in (await self._word(w)).split()]
        while values != []:
            if values is not None:
                self.process.env[node.variable] = values.pop(0)
            elif node.condition is not None and await self._quietly(node.condition) == node.inverted:
                break
            turn = asyncio.get_running_loop().time()
            try:
                await self._node(node.body)
            except _Leave as left:
                if not left.again:
                    break
            await asyncio.sleep(max(0.0, turn + _TURN_S - asyncio.get_running_loop().time()))
        self.status = 0

    async def _command(self, node: Command) -> None:
        words = [await self._word(w) for w in node.words]
        for variable, value in node.assigns:
            self.process.env[variable] = await self._word(value)
        written = [await self._word(w) for w in node.writes]
        refused = next((f for f in written if not self.process.can_write(f)), None)
        if refused is not None:
            self.process.write(f"sh: can't create {refused}: Read-only file system")
            self.status = 1
            return
        self.process.files.update(f for f in written if not f.startswith("/dev/"))
        before = self.process.write
        if written or node.silent:
            self.process.write = _nowhere
        try:
            self.status = await self._call(words) if words else 0
        finally:
            self.process.write = before

    async def _call(self, words: list[str]) -> int:
        match words:
            case ["exit", *rest]:
                raise Exit(int(rest[0]) & 255 if rest and rest[0].lstrip("-").isdigit() else self.status)
            case ["break" | "continue" as word, *_]:
                raise _Leave(word == "continue")
            case ["set", *options]:
                self.strict = self.strict or any(o.startswith("-") and "e" in o for o in options)
                return 0
            case ["export" | "readonly" | "local", *pairs]:
                self.process.env.update((k, v) for k, equals, v in (p.partition("=") for p in pairs) if equals)
                return 0
            case ["trap" | "cd" | "umask" | "ulimit" | "unset", *_]:
                return 0
            case ["wait", *_]:
                return max(await asyncio.gather(*self._beside), default=0)
            case ["!", *rest]:
                return 0 if await self._call(rest) else 1
            case ["exec", *rest] if rest:
                raise Exit(await self._call(rest))
            case ["exec"]:
                return 0
        program = find_program(self.process.programs, words[0])
        if program is None:
            self.process.write(f"sh: {words[0]}: not found")
            return 127
        return await program(self.process, words)

    async def _word(self, word: Word) -> str:
        return "".join([await self._expand(text) if live else text for text, live in word])

    async def _expand(self, text: str) -> str:
        while (start := text.find("$(")) >= 0:
            end = _closing(text, start + 2)
            text = text[:start] + await self._substitute(text[start + 2 : end]) + text[end + 1 :]
        return _VARIABLE.sub(self._variable, text)

    def _variable(self, found: re.Match[str]) -> str:
        if (mark := found["mark"]) is not None:
            return str(self.status) if mark == "?" else "1" if mark == "$" else ""
        return self.process.env.get(found["name"] or found["braced"], "") or found["default"] or ""

    async def _substitute(self, script: str) -> str:
        lines: list[str] = []
        inner = _Shell(self.process.child(lines.append), strict=False)
        self.status = await inner.run(script)
        return "\n".join(lines)


def _closing(text: str, start: int) -> int:
    depth = 1
    for i in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return i
    return len(text)


def _nowhere(_line: str) -> None:
    """Where output goes that was sent into a file."""
