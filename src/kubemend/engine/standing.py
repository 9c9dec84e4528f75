"""A report that is kept up to date: after a change only what it touches is judged anew.

Rules judge namespace by namespace, but for those that say they look at the `whole` cluster. Each judgement (one rule on
one namespace, or on the whole) is kept together with what it was made from (`tracking`), and made anew when that
changes, or when a moment that it waited for has come. So the report is always the one that judging everything gives.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from kubemend.engine.judge import applied, is_blind, joined, unjudged
from kubemend.engine.tracking import Derived, Ground, Reads, Token, Tracked
from kubemend.model.finding import Diagnosis, Finding, NotJudged, Report
from kubemend.model.index import Key
from kubemend.model.objects import Obj
from kubemend.model.rule import Rule
from kubemend.model.snapshot import Snapshot

Cell = tuple[str, str | None]
"""One judgement: a rule's code, and the namespace it looks at (None: the whole cluster)."""

Objects = Mapping[type[Obj], Mapping[Key, Obj]]
Change = tuple[type[Obj], Key, Obj | None, Obj | None]
"""Kind, key, before, after."""


@dataclass(frozen=True)
class Judgement:
    """What one rule found on one ground (or why it failed), and what it read: near, far, when it is due (`Reads`)."""

    findings: tuple[Finding, ...]
    failed: str
    near: frozenset[Token]
    far: frozenset[Token]
    due: datetime | None


class Standing:
    """The judgement of one cluster, from one snapshot to the next."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._sets: dict[frozenset[Token], frozenset[Token]] = {}
        self._readable: object = None
        self._forget()

    def _forget(self) -> None:
        self._objects: dict[type[Obj], Mapping[Key, Obj]] = {}
        self._whole = Ground(self._objects)
        self._spaces: dict[str, Ground] = {}
        self._cells: dict[Cell, Judgement] = {}
        self._far: set[Cell] = set()
        self._waiting: set[Cell] = set()
        self._now: datetime | None = None
        self._faulty: set[Cell] = set()
        self._failed: set[Cell] = set()
        self._derived: Derived = {}
        self._diagnoses: tuple[Diagnosis, ...] | None = None

    def look(self, snapshot: Snapshot) -> Report:
        """What is wrong in this snapshot, which must be no older than the one before."""
        readable = (frozenset(snapshot.objects), frozenset((u.kind, u.namespace) for u in snapshot.unread))
        if (readable, snapshot.namespace) != self._readable or (self._now and snapshot.taken_at < self._now):
            self._readable = (readable, snapshot.namespace)
            self._forget()
        self._now = snapshot.taken_at
        blind = unjudged(snapshot, self._rules)
        stale = self._take(snapshot.objects, snapshot.taken_at)
        stale |= {c for c in self._waiting if _is_due(self._cells[c].due, snapshot.taken_at)}
        if self._judge(stale, snapshot, blind) or self._diagnoses is None:
            self._diagnoses = joined(self._found(), self._rules)
        failed = (NotJudged(code, self._cells[code, space].failed, space or "") for code, space in self._failed)
        return Report(diagnoses=self._diagnoses, not_judged=tuple(sorted((*blind, *failed))))

    def _take(self, objects: Objects, now: datetime) -> set[Cell]:
        """Take over what changed. Returns the judgements that it touches, those never made included."""
        near: dict[str, set[Token]] = defaultdict(set)
        far: set[Token] = set()
        first = not self._objects
        changes = list(_changes(self._objects, objects))
        self._objects.update(objects)
        for kind, key, before, after in changes:
            far.update(self._whole.change(kind, key, before, after))
            if kind.namespaced:
                near[key[0]].update(self._in_space(kind, key, before, after))
        self._derived = {make: held for make, held in self._derived.items() if _holds(held[1].total(), far, now)}
        return self._touched(near, far, first=first)

    def _in_space(self, kind: type[Obj], key: Key, before: Obj | None, after: Obj | None) -> Iterable[Token]:
        space = self._spaces.get(key[0])
        if space is None:
            space = self._spaces[key[0]] = Ground(defaultdict(dict))
        held: dict[Key, Obj] = space.objects[kind]  # type: ignore[assignment]
        if after is None:
            held.pop(key, None)
        else:
            held[key] = after
        return space.change(kind, key, before, after)

    def _touched(self, near: Mapping[str, set[Token]], far: set[Token], *, first: bool) -> set[Cell]:
        found: set[Cell] = set()
        for rule in self._rules:
            if rule.whole:
                known = self._cells.get((rule.code, None))
                if first or known is None or not known.near.isdisjoint(far):
                    found.add((rule.code, None))
                continue
            for space, tokens in near.items():
                known = self._cells.get((rule.code, space))
                if known is None or not known.near.isdisjoint(tokens):
                    found.add((rule.code, space))
        return found | {c for c in self._far if not self._cells[c].far.isdisjoint(far)}

    def _judge(self, stale: set[Cell], snapshot: Snapshot, blind: tuple[NotJudged, ...]) -> bool:
        """Make these judgements anew. Returns whether any comes out differently."""
        differs = False
        views: dict[str | None, Tracked] = {}
        for rule in self._rules:
            spaces = [None] if rule.whole else sorted(s for c, s in stale if c == rule.code and s is not None)
            for space in spaces:
                if (rule.code, space) not in stale:
                    continue
                if space not in views:
                    # What is derived from the whole cluster costs most, so it is kept; a namespace's is soon made.
                    ground, derived = (self._whole, self._derived) if space is None else (self._spaces[space], {})
                    views[space] = Tracked(snapshot, ground, self._whole, space, derived)
                before = self._cells.get((rule.code, space))
                made = self._make(rule, views[space].aside(), seeing=not is_blind(rule, blind))
                self._keep((rule.code, space), made)
                differs = differs or made.findings != (before.findings if before else ())
        return differs

    def _make(self, rule: Rule, view: Tracked, *, seeing: bool) -> Judgement:
        findings, failed = applied(rule, view) if seeing else ((), "")
        reads = view.reads.total()
        return Judgement(findings, failed, self._one(reads.near), self._one(reads.far), reads.due)

    def _one(self, tokens: set[Token]) -> frozenset[Token]:
        """Judgements of thousands of namespaces read the same few things: one set stands for all that are equal."""
        made = frozenset(tokens)
        return self._sets.setdefault(made, made) if len(made) < 32 else made

    def _keep(self, cell: Cell, made: Judgement) -> None:
        self._cells[cell] = made
        (self._far.add if made.far else self._far.discard)(cell)
        (self._waiting.add if made.due else self._waiting.discard)(cell)
        (self._faulty.add if made.findings else self._faulty.discard)(cell)
        (self._failed.add if made.failed else self._failed.discard)(cell)

    def _found(self) -> Iterable[Finding]:
        for cell in sorted(self._faulty, key=lambda c: (c[0], c[1] or "")):
            yield from self._cells[cell].findings


def _holds(reads: Reads, changed: set[Token], now: datetime) -> bool:
    return not _is_due(reads.due, now) and reads.near.isdisjoint(changed)


def _is_due(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and now > moment


def _changes(before: Objects, after: Objects) -> Iterable[Change]:
    """The objects that differ. One of which only the resource version is new says nothing new."""
    for kind, fresh in after.items():
        old = before.get(kind, {})
        if fresh is old:
            continue
        added = 0
        for key, obj in fresh.items():
            known = old.get(key)
            if known is None:
                added += 1
                yield kind, key, None, obj
            elif known is not obj and not _alike(known, obj):
                yield kind, key, known, obj
        if len(fresh) - added < len(old):
            yield from ((kind, key, known, None) for key, known in old.items() if key not in fresh)


def _alike(one: Obj, other: Obj) -> bool:
    meta = msgspec.structs.replace(other.metadata, resource_version=one.metadata.resource_version)
    return meta == one.metadata and msgspec.structs.replace(other, metadata=meta) == one
