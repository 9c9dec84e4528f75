"""What is judged, what a check finds, and the server's way of naming culprits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kubemend.model.objects.wide import Container, PodSecurityContext, PodSpec, SecurityContext

_NO_CONTEXT = SecurityContext()
_NO_POD_CONTEXT = PodSecurityContext()


@dataclass(frozen=True)
class Subject:
    """A pod, or the template of one. relaxed: the server has the feature gate UserNamespacesPodSecurityStandards on."""

    spec: PodSpec
    annotations: Mapping[str, str] = field(default_factory=dict)
    relaxed: bool = False

    @property
    def context(self) -> PodSecurityContext:
        """The pod's own security context, empty when it has none."""
        return self.spec.security_context or _NO_POD_CONTEXT

    @property
    def windows(self) -> bool:
        """Whether the pod says that it is for Windows."""
        return self.spec.os is not None and self.spec.os.name == "windows"

    @property
    def own_users(self) -> bool:
        """Whether the pod has a user namespace of its own."""
        return self.spec.host_users is False

    def containers(self) -> Iterator[tuple[Container, SecurityContext]]:
        """Every container with its security context, in the server's order."""
        for container in self.spec.all_containers:
            yield container, container.security_context or _NO_CONTEXT

    def where(self, bad: Callable[[SecurityContext], bool]) -> list[str]:
        """The containers whose security context is bad."""
        return [c.name for c, context in self.containers() if bad(context)]


@dataclass(frozen=True)
class Violation:
    """A check that a pod fails: `reason` in a word, `detail` with names and values, both as the server says it."""

    check: str
    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


Found = tuple[str, str] | None
"""(reason, detail), or None when the pod passes."""


def some(noun: str, names: list[str]) -> str:
    """`container "a"`, or `containers "a", "b"`."""
    return f"{plural(noun, names)} {quoted(names)}"


def plural(noun: str, of: Iterable[object]) -> str:
    """The noun for as many."""
    return noun if len(list(of)) == 1 else f"{noun}s"


def quoted(words: Iterable[str]) -> str:
    """`"a", "b"`."""
    return ", ".join(f'"{w}"' for w in words)


def setters(*, pod: bool, containers: list[str]) -> str:
    """`pod and containers "a", "b"`: those who set something."""
    return " and ".join([*(["pod"] if pod else []), *([some("container", containers)] if containers else [])])


_ESCAPES = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}


def literal(text: str) -> str:
    """A text as a literal of the Go language, which is how the server shows annotations."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    if char in _ESCAPES:
        return _ESCAPES[char]
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
