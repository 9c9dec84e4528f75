"""Names: which one was meant, and what an image reference is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_DIGITS = re.compile(r"[0-9]+")

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_REGISTRY = re.compile(rf"{_HOST}(?::[0-9]+)?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_IDENTIFIER = re.compile(r"[0-9a-f]{64}")


def near(name: str, candidates: Iterable[str]) -> str | None:
    """The one candidate that `name` looks like a slip of the keyboard for, or None.

    Near is at most one edit per five characters (at least 1, at most 3), counting a swap of neighbours as one
    (Damerau-Levenshtein, optimal string alignment). The digits must be the same: `db-1` and `db-2` are
    two things, not a typo. Two candidates equally near are ambiguous and give None, as do names under
    three characters, of which nearly any two are near.
    """
    limit = max(1, min(3, len(name) // 5)) if len(name) > 2 else 0
    digits = _DIGITS.findall(name)
    best: list[str] = []
    for candidate in dict.fromkeys(candidates):
        if _DIGITS.findall(candidate) != digits:
            continue
        distance = _distance(name, candidate, limit)
        if distance < limit:
            best, limit = [candidate], distance
        elif distance == limit:
            best.append(candidate)
    return best[0] if len(best) == 1 else None


def _distance(a: str, b: str, limit: int) -> int:
    """Edits between two names, or `limit + 1` once it is sure that there are more than `limit`."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        earlier, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return row[-1]


@dataclass(frozen=True)
class Image:
    """An image reference's parts as written: an absent part is empty. `str()` puts them together again."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def host(self) -> str:
        """The registry that is asked: Docker Hub when none is written."""
        return self.registry or "docker.io"

    def __str__(self) -> str:
        name = f"{self.registry}/{self.repository}" if self.registry else self.repository
        return name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def split_image(image: str) -> Image:
    """Take a reference apart by the rules of `github.com/distribution/reference`; never fails, see `valid_image`.

    The first path component is a registry only if it has a dot, a colon or an upper-case letter, or is `localhost`.
    """
    rest, _, digest = image.partition("@")
    slash = rest.rfind("/")
    colon = rest.find(":", slash + 1)
    rest, tag = (rest[:colon], rest[colon + 1 :]) if colon >= 0 else (rest, "")
    first, found, path = rest.partition("/")
    if found and (first == "localhost" or any(c in ".:" for c in first) or first != first.lower()):
        return Image(first, path, tag, digest)
    return Image("", rest, tag, digest)


def valid_image(image: str) -> bool:
    """Whether a container runtime would accept the reference (what it refuses shows as `InvalidImageName`)."""
    parts = split_image(image)
    return (
        str(parts) == image
        and len(parts.repository) + len(parts.registry) <= 255
        and _REPOSITORY.fullmatch(parts.repository) is not None
        and (not parts.registry or _REGISTRY.fullmatch(parts.registry) is not None)
        and (not parts.tag or _TAG.fullmatch(parts.tag) is not None)
        and (not parts.digest or _DIGEST.fullmatch(parts.digest) is not None)
        and (bool(parts.registry) or _IDENTIFIER.fullmatch(image) is None)
    )
