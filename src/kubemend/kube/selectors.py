"""Label and field selectors: who selects whom, and the selector text that kubectl and the API take.

The text form follows `k8s.io/apimachinery/pkg/labels.Parse` and `pkg/fields.ParseSelector`. Whatever isn't a
selector raises, so text from a person or a model can't smuggle anything past it into a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kubemend.model.errors import InvalidInput
from kubemend.model.objects.meta import LabelSelector

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_TOKEN = re.compile(r"[ \t\n\r]*(?P<token>==|!=|[=,()!<>]|[^ \t\n\r=,()!<>]+|$)")
_SYMBOLS = frozenset({"=", "==", "!=", ",", "(", ")", "!", "<", ">", ""})
_OPERATORS = {"=": "In", "==": "In", "!=": "NotIn", "in": "In", "notin": "NotIn", ">": "Gt", "<": "Lt"}
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")


class SelectorError(InvalidInput):
    """The selector can't be used; the message says what is wrong with it."""

    code = "invalid-selector"


@dataclass(frozen=True)
class Requirement:
    """One condition on labels. operator: In, NotIn, Exists, DoesNotExist, Gt or Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """As `labels.Requirement.Matches`: NotIn and DoesNotExist hold when the key is absent, the others don't."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                return value is None or value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                return _compares(value, self.operator, self.values)
        raise SelectorError(f"{self.operator!r} is no selector operator", where=self.key)

    def __str__(self) -> str:
        match self.operator, self.values:
            case "Exists", _:
                return self.key
            case "DoesNotExist", _:
                return f"!{self.key}"
            case "In", (only,):
                return f"{self.key}={only}"
            case "NotIn", (only,):
                return f"{self.key}!={only}"
            case (("Gt" | "Lt"), (bound,)):
                return f"{self.key}{'>' if self.operator == 'Gt' else '<'}{bound}"
        return f"{self.key} {self.operator.lower()} ({','.join(self.values)})"


def _compares(value: str | None, operator: str, bounds: tuple[str, ...]) -> bool:
    texts = (value or "", *bounds)
    if len(texts) != 2 or not all(_INTEGER.fullmatch(t) for t in texts):
        return False
    have, bound = map(int, texts)
    return have > bound if operator == "Gt" else have < bound


@dataclass(frozen=True)
class Labels:
    """A parsed label selector: all requirements must hold; none of them selects everything. `str()` spells it."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are selected."""
        return all(r.matches(labels) for r in self.requirements)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


def matches(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """Whether a `metav1.LabelSelector` selects these labels; None selects nothing, an empty one everything.

    Raises `SelectorError` for an operator that a label selector doesn't know.
    """
    if selector is None or not subset(selector.match_labels, labels):
        return False
    return all(_expression(e.key, e.operator, e.values).matches(labels) for e in selector.match_expressions)


def _expression(key: str, operator: str, values: tuple[str, ...]) -> Requirement:
    if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        raise SelectorError(f"{operator!r} is no label selector operator", where=key)
    return Requirement(key, operator, values)


def subset(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether every wanted label is there with the wanted value (a Service's or a node selector's test)."""
    return all(labels.get(k) == v for k, v in wanted.items())


def parse_labels(text: str) -> Labels:
    """Read `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>3`; empty text selects everything. Raises `SelectorError`."""
    tokens = _Tokens(text)
    if tokens.peek() == "":
        return Labels()
    found = [_requirement(tokens)]
    while (token := tokens.take()) == ",":
        found.append(_requirement(tokens))
    if token:
        raise tokens.error("',' or the end", token)
    return Labels(tuple(found))


class _Tokens:
    """The words and symbols of a label selector, one ahead."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._rest = _split(text)
        self._next = next(self._rest)

    def peek(self) -> str:
        return self._next

    def take(self) -> str:
        taken, self._next = self._next, next(self._rest, "")
        return taken

    def word(self, wanted: str) -> str:
        taken = self.take()
        if taken in _SYMBOLS:
            raise self.error(wanted, taken)
        return taken

    def error(self, wanted: str, found: str) -> SelectorError:
        return SelectorError(f"expected {wanted}, found {found or 'the end'!r}", where=f"label selector {self.text!r}")


def _split(text: str) -> Iterator[str]:
    at = 0
    while (found := _TOKEN.match(text, at)) is not None and found["token"]:
        yield found["token"]
        at = found.end()
    yield ""


def _requirement(tokens: _Tokens) -> Requirement:
    absent = tokens.peek() == "!" and bool(tokens.take())
    key = _key(tokens.word("a label key"), tokens.text)
    if absent:
        return Requirement(key, "DoesNotExist")
    if tokens.peek() in ("", ","):
        return Requirement(key, "Exists")
    symbol = tokens.take()
    operator = _OPERATORS.get(symbol)
    if operator is None:
        raise tokens.error("one of = == != in notin < >", symbol)
    values = _values(tokens) if symbol in ("in", "notin") else (_single(tokens),)
    for value in values:
        _value(value, tokens.text)
    if operator in ("Gt", "Lt") and not _INTEGER.fullmatch(values[0]):
        raise tokens.error("a whole number", values[0])
    return Requirement(key, operator, values)


def _single(tokens: _Tokens) -> str:
    return "" if tokens.peek() in ("", ",") else tokens.word("a label value")


def _values(tokens: _Tokens) -> tuple[str, ...]:
    if (token := tokens.take()) != "(":
        raise tokens.error("'('", token)
    values = set()
    while True:
        values.add("" if tokens.peek() in (",", ")") else tokens.word("a label value"))
        if (mark := tokens.take()) == ")":
            return tuple(sorted(values))
        if mark != ",":
            raise tokens.error("',' or ')'", mark)


def _key(key: str, text: str) -> str:
    prefix, slash, name = key.rpartition("/")
    if not _NAME.fullmatch(name) or (slash and not (len(prefix) <= 253 and _SUBDOMAIN.fullmatch(prefix))):
        raise SelectorError(f"{key!r} is no label key", where=f"label selector {text!r}")
    return key


def _value(value: str, text: str) -> None:
    if value and not _NAME.fullmatch(value):
        raise SelectorError(f"{value!r} is no label value", where=f"label selector {text!r}")


_PATH = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*")
_TERM = re.compile(r"(?P<path>[^=!,\\]+)(?P<operator>!=|==|=)(?P<value>(?:[^\\,=]|\\[\\,=])*)(?:,|$)")
_ESCAPED = re.compile(r"\\([\\,=])")
_SPECIAL = re.compile(r"([\\,=])")
_ABSENT = {"spec.unschedulable": "false", "spec.hostNetwork": "false", "status.replicas": "0"}
"""What the API server compares with when these fields are absent; for any other field the empty string."""


@dataclass(frozen=True)
class Fields:
    """A parsed field selector: (dotted path, whether it must be equal, value), all of which must hold."""

    terms: tuple[tuple[str, bool, str], ...] = ()

    def matches(self, obj: Mapping[str, Any]) -> bool:
        """Whether a raw object is selected. Which fields a server offers per kind is the server's own matter."""
        return all((_field(obj, path) == value) is equal for path, equal, value in self.terms)

    def __str__(self) -> str:
        return ",".join(path + ("=" if equal else "!=") + _SPECIAL.sub(r"\\\1", v) for path, equal, v in self.terms)


def parse_fields(text: str) -> Fields:
    r"""Read `metadata.name=web,status.phase!=Running`; `\` escapes `\`, `,` and `=`. Raises `SelectorError`.

    Stricter than the server's own parser, which takes any text for a path and skips empty terms.
    """
    terms = []
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None or not _PATH.fullmatch(found["path"]):
            raise SelectorError(
                f"expected path=value or path!=value, found {text[at:]!r}", where=f"field selector {text!r}"
            )
        terms.append((found["path"], found["operator"] != "!=", _ESCAPED.sub(r"\1", found["value"])))
        at = found.end()
    return Fields(tuple(terms))


def _field(obj: Mapping[str, Any], path: str) -> str:
    value: Any = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    if value is None:
        return _ABSENT.get(path, "")
    return str(value).lower() if isinstance(value, bool) else str(value)
