"""Where two answers differ, which of that is known with its reason, and the table of it all."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from differential_peer import Told

KNOWN = Path(__file__).with_name("differential_known.toml")
ABSENT = "(absent)"
SHOWN, LEAD = 400, 120
"""Characters of a value that are shown, and of those that are before the first that differs."""


@dataclass(frozen=True)
class Difference:
    """One place at which the answers to one step differ. at: a JSON pointer into {code, headers, body}."""

    area: str
    step: str
    at: str
    practice: Any
    real: Any

    @property
    def place(self) -> str:
        return f"{self.area}: {self.step}"

    def __str__(self) -> str:
        ours, theirs = _apart(repr(self.practice), repr(self.real))
        return f"{self.place}\n  at {self.at}\n    practice {ours}\n    real     {theirs}"


def _apart(ours: str, theirs: str) -> tuple[str, str]:
    """Two long texts from shortly before where they part."""
    same = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    start = max(0, same - LEAD) if max(len(ours), len(theirs)) > SHOWN else 0
    return ours[start : start + SHOWN], theirs[start : start + SHOWN]


def differences(area: str, step: str, practice: Told, real: Told) -> Iterator[Difference]:
    """Every place at which two answers differ; of two answers of different kinds the body as a whole."""
    deep = practice.code == real.code
    pairs = (("/code", practice.code, real.code), ("/headers", practice.headers, real.headers))
    for at, ours, theirs in (*pairs, ("/body", practice.body, real.body)):
        for place, mine, other in _unequal(at, ours, theirs) if deep or at != "/body" else ((at, ours, theirs),):
            yield Difference(area, step, place, mine, other)


def _unequal(at: str, ours: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            yield from _unequal(f"{at}/{key}", ours.get(key, ABSENT), theirs.get(key, ABSENT))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for i, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _unequal(f"{at}/{i}", mine, other)
    elif ours != theirs or type(ours) is not type(theirs):
        yield at, ours, theirs


@dataclass(frozen=True)
class Known:
    """A difference that is accepted. steps: patterns of "area: step"; at: patterns of the places in the answer."""

    title: str
    reason: str
    steps: tuple[str, ...]
    at: tuple[str, ...]

    def covers(self, found: Difference) -> bool:
        return _among(found.place, self.steps) and _among(found.at, self.at)


def _among(text: str, patterns: Iterable[str]) -> bool:
    return any(text == p or fnmatchcase(text, p) for p in patterns)


def known(path: Path = KNOWN) -> list[Known]:
    """The accepted differences."""
    data = tomllib.loads(path.read_text())
    return [Known(k["title"], k["reason"], tuple(k["steps"]), tuple(k["at"])) for k in data.get("known", ())]


@dataclass
class Report:
    """What a conversation came to. requests: area → how many were sent."""

    accepted: Sequence[Known]
    requests: Counter[str] = field(default_factory=Counter)
    found: list[Difference] = field(default_factory=list)

    def note(self, area: str, step: str, practice: Told, real: Told) -> None:
        self.requests[area] += 1
        self.found += differences(area, step, practice, real)

    @property
    def unknown(self) -> list[Difference]:
        """What nobody has accepted."""
        return self._unaccepted(self.found)

    def unknown_in(self, area: str, step: str, practice: Told, real: Told) -> list[Difference]:
        """What nobody has accepted, of two answers that may not be the last."""
        return self._unaccepted(differences(area, step, practice, real))

    def _unaccepted(self, found: Iterable[Difference]) -> list[Difference]:
        return [d for d in found if not any(k.covers(d) for k in self.accepted)]

    @property
    def stale(self) -> list[str]:
        """What was accepted and is no difference any more: every pattern of the areas that were held finds one."""
        gone = []
        for one in self.accepted:
            hits = [d for d in self.found if one.covers(d)]
            held = [s for s in one.steps if s.partition(": ")[0] in self.requests]
            gone += [f"{one.title}: {s}" for s in held if not any(_among(d.place, [s]) for d in hits)]
            if len(held) == len(one.steps):
                gone += [f"{one.title}: at {p}" for p in one.at if not any(_among(d.at, [p]) for d in hits)]
        return gone

    def table(self) -> str:
        """Requests, equal, known and unknown differences by area."""
        unknown = _steps(self.unknown)
        accepted = _steps(self.found) - unknown
        head = ("area", "requests", "equal", "known differences", "unknown differences")
        rows = [_row(a, n, accepted, unknown) for a, n in self.requests.items()]
        total = ("all", *(sum(column) for column in zip(*(r[1:] for r in rows), strict=True)))
        return "\n".join(_line(row) for row in (head, *rows, total))


def _steps(found: Iterable[Difference]) -> set[tuple[str, str]]:
    return {(d.area, d.step) for d in found}


def _row(area: str, sent: int, accepted: set[tuple[str, str]], unknown: set[tuple[str, str]]) -> tuple[Any, ...]:
    bad, good = sum(a == area for a, _ in unknown), sum(a == area for a, _ in accepted)
    return area, sent, sent - bad - good, good, bad


def _line(row: Sequence[Any]) -> str:
    return f"{row[0]:<14}" + "".join(f"{cell:>{width}}" for cell, width in zip(row[1:], (9, 7, 19, 21), strict=True))
