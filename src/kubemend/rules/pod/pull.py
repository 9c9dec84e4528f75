"""Why an image could not be pulled, told from the runtime's words.

The kubelet shows the registry's error as text only, and an older one drops it from the status as soon as it
backs off, so the newest event about the pull is asked too. The text decides between a few fixed causes; no part
of it goes further than the evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kubemend.model.finding import Cite, cite
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.events import Events
from kubemend.rules.pod.seen import Seen, containers

Cause = Literal["not-found", "registry", "never-pull", "busy", "unauthorized", "unknown"]

_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable"})

# In the order they are tried: a registry that can't be reached fails while asking for a token, in words of both kinds.
_PATTERNS: tuple[tuple[Cause, re.Pattern[str]], ...] = (
    ("busy", re.compile(r"toomanyrequests|too many requests|rate limit|\b429\b|\b50[0234]\b")),
    (
        "registry",
        re.compile(
            r"no such host|dial tcp|i/o timeout|connection refused|deadline exceeded|tls:|x509|http response to https"
            r"|server misbehaving|network is unreachable"
        ),
    ),
    (
        "unauthorized",
        re.compile(
            r"unauthorized|authentication required|\b40[13]\b|forbidden|no basic auth|access denied|\bdenied\b"
            r"|failed to authorize|insufficient_scope"
        ),
    ),
    ("not-found", re.compile(r"not found|manifest unknown|name unknown|does not exist|no match for platform")),
)
# Docker Hub answers alike for a repository that isn't there and one that is private; another registry may add why.
_EITHER = re.compile(
    r"pull access denied, repository does not exist or may require authorization"
    r"(: server message: insufficient_scope: authorization failed)?"
)


@dataclass(frozen=True)
class Failure:
    """One container whose image could not be pulled."""

    seen: Seen
    image: str
    cause: Cause
    evidence: tuple[Cite, ...]


def failures(snapshot: Snapshot) -> Iterator[Failure]:
    """Every container that waits for an image it can't get."""
    events = Events(snapshot)
    for seen in containers(snapshot):
        if seen.waiting in _REASONS and seen.spec is not None:
            yield _failure(seen, events)


def _failure(seen: Seen, events: Events) -> Failure:
    evidence = [seen.cite("state", "waiting", "reason"), seen.cite_spec("image")]
    said = [(seen.message, seen.cite("state", "waiting", "message"))]
    tried = events.of(seen.pod, "Failed", container=seen.name, says="failed to pull image")
    said += [(e.message, cite(e, "message")) for e in tried[:1]]
    image = seen.spec.image if seen.spec else ""
    if seen.waiting == "ErrImageNeverPull":
        return Failure(seen, image, "never-pull", tuple(evidence))
    for text, at in said:
        if (cause := _cause(text, image, private=bool(seen.pod.spec.image_pull_secrets))) != "unknown":
            return Failure(seen, image, cause, (*evidence, at))
    unreachable = seen.waiting == "RegistryUnavailable"
    return Failure(seen, image, "registry" if unreachable else "unknown", tuple(evidence))


def _cause(text: str, image: str, *, private: bool) -> Cause:
    # The image's own name is taken out first: "not-found:1" must not decide.
    words = text.replace(image, "").lower()
    either = _EITHER.search(words) is not None
    told: Cause = next((cause for cause, pattern in _PATTERNS if pattern.search(_EITHER.sub("", words))), "unknown")
    if told == "unknown" and either:
        return "unauthorized" if private else "not-found"
    return told
