"""An answer without what two servers can't agree on: identities, versions, times and addresses that each one chooses.

Identities and versions aren't dropped but numbered in the order in which they come up, so that two servers differ
where one gives an object a new identity, or a new version, and the other doesn't.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
RECORD = re.compile(r"in record \(\d+\)")
VERSIONS = re.compile(r"(resource version: |current: |version for the provided list is too old: )\d+( \(\d+\))?")
MOUNT = re.compile(r"kube-api-access-\w{5}")
AGE = re.compile(r"^(?:\d+(?:ms|s|m|h|d))+$")
RANDOM = re.compile(r"\b(gen-|Gen_)[a-z0-9]{5}\b")
PRECONDITION = re.compile(r"(ResourceVersion in the precondition \()\d+(\))")
WRITTEN = re.compile(r'(resourceVersion(?:\\?":\\?"|:))\d+')
LISTENS = re.compile(r"127\.0\.0\.1:\d+|\b10\.96\.\d+\.\d+\b")
GO = re.compile(r"\n@@.*| in scheme \"[^\"]*\"|, expected v1\.\w+$", re.DOTALL)
PLAIN = (
    (RECORD, "in record"),
    (PRECONDITION, r"\1N\2"),
    (WRITTEN, r"\1N"),
    (VERSIONS, r"\1N"),
    (TIME, "TIME"),
    (MOUNT, "kube-api-access-x"),
    (AGE, "AGE"),
    (RANDOM, r"\1random"),
    (LISTENS, "ADDRESS"),
    (GO, ""),
)
"""What is replaced in any text."""
CHOSEN = frozenset({"clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort"})
SECRET = frozenset({"token", "continue"})


class Teller:
    """Tells the answers of one server in one conversation."""

    def __init__(self) -> None:
        self._objects: dict[str, str] = {}
        self._named: Counter[str] = Counter()
        self._versions: dict[tuple[str, str], str] = {}
        self._counts: Counter[str] = Counter()

    def told(self, value: Any) -> Any:
        """A body, in the words that both servers should share."""
        if isinstance(value, dict):
            self._learn(value)
            return {self._text(key): self._field(key, value) for key in sorted(value)}
        if isinstance(value, list):
            return [self.told(v) for v in value]
        return self._text(value) if isinstance(value, str) else value

    def _learn(self, value: dict[str, Any]) -> None:
        """Remember whose identity it is, when this is an object's metadata."""
        uid, name = value.get("uid"), value.get("name")
        if isinstance(uid, str) and isinstance(name, str) and "creationTimestamp" in value and uid not in self._objects:
            self._named[name] += 1
            self._objects[uid] = f"{self._text(name)} #{self._named[name]}"

    def _field(self, key: str, value: dict[str, Any]) -> Any:
        inner = value[key]
        if key in CHOSEN and inner not in (None, "None", "", []):
            return "chosen"
        if key in SECRET and isinstance(inner, str) and inner:
            return "secret"
        if key == "resourceVersion":
            return self._version(value.get("uid", ""), inner)
        if key == "managedFields":
            return sorted(self.told(inner), key=_holder)
        return "TIME" if key == "lastPhaseTransitionTime" else self.told(inner)

    def _version(self, uid: str, version: Any) -> Any:
        if not isinstance(version, str) or not version.isdigit():
            return version
        if not uid:
            return "version"
        known = self._versions.get((uid, version))
        if known is None:
            self._counts[uid] += 1
            known = self._versions[uid, version] = f"version {self._counts[uid]}"
        return known

    def _text(self, text: str) -> str:
        text = UUID.sub(lambda found: f"UID of {self._objects.get(found[0], 'none')}", text)
        for pattern, word in PLAIN:
            text = pattern.sub(word, text)
        return text


def _holder(entry: dict[str, Any]) -> tuple[str, ...]:
    """What the entries of `managedFields` are sorted by here: the API server sorts them by their seconds, too."""
    return tuple(str(entry.get(k, "")) for k in ("operation", "manager", "subresource", "apiVersion"))


SUFFIX = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}(?![\w-])")
HASH = re.compile(r"(?<=-)[bcdfghjklmnpqrstvwxz2456789]{8,10}(?![\w])|^[bcdfghjklmnpqrstvwxz2456789]{8,10}$")
PLACE = re.compile(r"\b10\.\d+\.\d+\.\d+\b|\b172\.\d+\.\d+\.\d+\b|\b192\.168\.\d+\.\d+\b|\b127\.0\.0\.1\b")
NODE = re.compile(r"\b(?:node-\d|lab-[abc])\b")
MANAGED = "endpointslice.kubernetes.io/managed-by"
"""The label of a slice whose generation counts how often it was written."""
UNSETTLED = frozenset({"managedFields", "resourceVersion", "uid", "containerID"})
TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
"""An annotation that a slice has only until the next write of it."""


class Settled(Teller):
    """Tells where a cluster has come to: how many writes it took, and what was chosen on the way, doesn't count.

    Pods of one name are told in the order of their looks; hashes and random endings of names by their place.
    """

    def told(self, value: Any) -> Any:
        if isinstance(value, dict):
            counted = MANAGED in (value.get("labels") or ()) and "generation" in value
            unsettled = UNSETTLED | {"generation"} if counted else UNSETTLED
            marks = {k: v for k, v in (value.get("annotations") or {}).items() if k != TRIGGER}
            kept = {**value, "annotations": marks} if marks else {k: v for k, v in value.items() if k != "annotations"}
            return {self._text(k): self._field(k, kept) for k in sorted(kept) if k not in unsettled}
        if isinstance(value, list):
            told = [self.told(v) for v in value]
            named = told and all(isinstance(v, dict) for v in told)
            return sorted(told, key=json.dumps) if named else told
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        text = super()._text(text)
        for pattern, word in ((SUFFIX, "-random"), (HASH, "hash"), (PLACE, "ADDRESS"), (NODE, "node")):
            text = pattern.sub(word, text)
        return text
