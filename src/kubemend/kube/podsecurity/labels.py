"""What a namespace's labels ask for (`pod-security.kubernetes.io/…`)."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "pod-security.kubernetes.io/"
_VERSION = re.compile(r"v1\.([0-9]|[1-9][0-9]*)")

Version = int | None
"""The minor version of a standard (1.N), or None for the latest."""


class Level(enum.StrEnum):
    """How much a pod may do."""

    PRIVILEGED = "privileged"
    BASELINE = "baseline"
    RESTRICTED = "restricted"

    @property
    def strictness(self) -> int:
        """0 for the loosest."""
        return list(Level).index(self)


@dataclass(frozen=True)
class Mode:
    """A level at a version."""

    level: Level = Level.PRIVILEGED
    version: Version = None

    def __str__(self) -> str:
        return f"{self.level}:{'latest' if self.version is None else f'v1.{self.version}'}"


@dataclass(frozen=True)
class Policy:
    """What is refused, what is noted in the audit log, what is warned about. errors: labels that can't be read."""

    enforce: Mode = Mode()
    audit: Mode = Mode()
    warn: Mode = Mode()
    errors: tuple[str, ...] = ()


def parse_version(text: str) -> Version:
    """ "latest" or "v1.N". Raises ValueError for anything else."""
    if text == "latest":
        return None
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ValueError('must be "latest" or "v1.x"')
    return int(found[1])


def policy_of(labels: Mapping[str, str]) -> Policy:
    """The policy of a namespace by its labels alone.

    A level that is none means restricted for `enforce` (fail closed) and privileged for the others; a version that is
    none means latest. Without a `warn` label a stricter `enforce` warns too.
    """
    errors: list[str] = []
    modes = {mode: _mode(labels, mode, errors) for mode in ("enforce", "audit", "warn")}
    enforce, warn = modes["enforce"], modes["warn"]
    told = labels.get(PREFIX + "enforce") in tuple(Level)
    if told and PREFIX + "warn" not in labels and enforce.level.strictness > warn.level.strictness:
        version = warn.version if PREFIX + "warn-version" in labels else enforce.version
        warn = Mode(enforce.level, version)
    return Policy(enforce, modes["audit"], warn, tuple(errors))


def _mode(labels: Mapping[str, str], mode: str, errors: list[str]) -> Mode:
    level, version = Level.PRIVILEGED, None
    if (asked := labels.get(PREFIX + mode)) is not None:
        try:
            level = Level(asked)
        except ValueError:
            level = Level.RESTRICTED if mode == "enforce" else Level.PRIVILEGED
            errors.append(f"{PREFIX}{mode}: {asked!r} is none of {', '.join(Level)}")
    if (asked := labels.get(f"{PREFIX}{mode}-version")) is not None:
        try:
            version = parse_version(asked)
        except ValueError as error:
            errors.append(f"{PREFIX}{mode}-version: {asked!r} {error}")
    return Mode(level, version)
