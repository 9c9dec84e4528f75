"""Judging a command before anything is done with it. What isn't proven to be a read is not one.

The model's own claim that a command is harmless is not asked for here, and counts for nothing.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kubemend.tools.shell.script import NotPlain, head, hidden, plain
from kubemend.tools.shell.verbs import ALIASES, FILES, GLOBAL, IDENTITY, PARENTS, READS, WRITES

LONGEST = 16_384
"""Characters of a command."""
NAMES_KUBECTL = re.compile(r"k['\"\\]*u['\"\\]*b['\"\\]*e['\"\\]*c['\"\\]*t['\"\\]*l", re.IGNORECASE)
_SINGLE_S = re.compile(r"-s(?:=.*|https?:.*|[\w.-]+:\d+.*)?", re.DOTALL)
_ASCII_FLAG = re.compile(r"--[a-z0-9-]+(?:=.*)?|-[A-Za-z][\x20-\x7e]*", re.DOTALL)


class Class(enum.StrEnum):
    """What a command may do.

    read: it only looks at the cluster. contained: it has no way to the cluster, and runs where nothing is kept.
    write: it changes something, or may: a plan or nothing. refused: no approval could make it good.
    """

    READ = "read"
    CONTAINED = "contained"
    WRITE = "write"
    REFUSED = "refused"


@dataclass(frozen=True)
class Asked:
    """A kubectl command taken apart. verb: "get", "rollout undo". words: what isn't a flag. flags: long name → values.

    A flag without a value has "true". piped: the script that its output goes to.
    """

    verb: str
    words: tuple[str, ...] = ()
    flags: dict[str, list[str]] = field(default_factory=dict)
    piped: str = ""

    def flag(self, name: str) -> str:
        """The last value of a flag, "" when it isn't given: later flags win, as in kubectl."""
        return self.flags.get(name, [""])[-1]

    def on(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.flag(name).lower() in ("true", "t", "1")


@dataclass(frozen=True)
class Verdict:
    """The class of a command and the reason; the command taken apart where that was possible."""

    is_: Class
    why: str
    asked: Asked | None = None


class _Write(Exception):
    """Not proven to be a read."""


class _Refused(_Write):
    """Never."""


def judge_kubectl(command: str) -> Verdict:
    """The verdict on what should be one plain kubectl command."""
    if (seen := _unseen(command)) is not None:
        return seen
    try:
        words = plain(command)
    except NotPlain as odd:
        return Verdict(Class.WRITE, f"it has {odd.why}; one plain kubectl command at a time")
    return judge_words(words)


def judge_bash(script: str) -> Verdict:
    """The verdict on a script: kubectl may stand in it only as one read, alone or at the head of one pipeline."""
    if (seen := _unseen(script)) is not None:
        return seen
    if not NAMES_KUBECTL.search(script):
        return Verdict(Class.CONTAINED, "it has no way to the cluster, and what it writes is not kept")
    split = head(script)
    if split is None:
        return judge_kubectl(script)
    first, rest = split
    if NAMES_KUBECTL.search(rest):
        return Verdict(Class.WRITE, "it has kubectl elsewhere than at its head")
    found = judge_kubectl(first)
    if found.is_ is not Class.READ or found.asked is None:
        return found
    asked = found.asked
    return Verdict(Class.READ, found.why, Asked(asked.verb, asked.words, asked.flags, rest))


def judge_words(words: tuple[str, ...]) -> Verdict:
    """The verdict on a command that is words already."""
    if words[0] != "kubectl":
        return Verdict(Class.REFUSED, f"it begins with {words[0][:40]!r}, not with kubectl")
    if (stolen := next((w for w in words[1:] if _identity(w)), None)) is not None:
        return Verdict(Class.REFUSED, f"{stolen.partition('=')[0]} would make it another person or another cluster")
    try:
        return _judged(list(words[1:]))
    except _Refused as no:
        return Verdict(Class.REFUSED, str(no))
    except _Write as no:
        return Verdict(Class.WRITE, str(no))


def _unseen(command: str) -> Verdict | None:
    if len(command) > LONGEST:
        return Verdict(Class.REFUSED, f"it is longer than {LONGEST} characters")
    if not command.strip():
        return Verdict(Class.REFUSED, "it is empty")
    return Verdict(Class.REFUSED, why) if (why := hidden(command)) else None


def _identity(word: str) -> bool:
    """Whether a word could be one of the flags nobody may give, in any spelling and at any place."""
    if _SINGLE_S.fullmatch(word):
        return True
    name = word.partition("=")[0].replace("_", "-").lower()
    return name.startswith("--") and name[2:] in IDENTITY


def _judged(words: list[str]) -> Verdict:
    verb, rest, before = _verb(words)
    known = READS.get(verb, WRITES.get(verb))
    if known is None:
        raise _Write(f"`kubectl {verb}` is no verb that only reads")
    asked = Asked(verb, *_taken_apart([*before, *rest], known))
    if verb in WRITES:
        return Verdict(Class.WRITE, f"`kubectl {verb}` changes the cluster", asked)
    _harmless(asked)
    return Verdict(Class.READ, f"`kubectl {verb}` only reads", asked)


def _verb(words: list[str]) -> tuple[str, list[str], list[str]]:
    """The verb, what follows it, and the flags before it, of which only `-n` is stepped over."""
    before: list[str] = []
    while words and words[0].startswith("-"):
        name = words[0].partition("=")[0]
        if name in ("-n", "--namespace") and len(words) > 1:
            step = 1 if "=" in words[0] else 2
            before, words = before + words[:step], words[step:]
            continue
        raise _Write(f"{name} stands before the verb, and could be hiding it")
    if not words:
        raise _Write("it has no verb")
    verb, rest = words[0], words[1:]
    if not re.fullmatch(r"[a-z][a-z-]*", verb):
        raise _Refused(f"{verb[:40]!r} is no verb of kubectl")
    if verb in PARENTS:
        if not rest or rest[0].startswith("-"):
            raise _Write(f"`kubectl {verb}` needs a second verb right behind it")
        verb, rest = f"{verb} {rest[0]}", rest[1:]
    return ALIASES.get(verb, verb), rest, before


def _taken_apart(words: list[str], known: dict[str, str]) -> tuple[tuple[str, ...], dict[str, list[str]]]:
    """Words and flags, read as pflag reads them."""
    table = {**GLOBAL, **known}
    letters = {short.lstrip("!"): name for name, short in table.items() if short.lstrip("!")}
    plain_words: list[str] = []
    flags: dict[str, list[str]] = {}
    left = iter(words)
    for word in left:
        if word == "--":
            plain_words += left
        elif word == "-" or not word.startswith("-"):
            plain_words.append(word)
        elif not _ASCII_FLAG.fullmatch(word.replace("_", "-") if word.startswith("--") else word):
            raise _Refused(f"{word[:40]!r} is no flag")
        else:
            given = _long(word) if word.startswith("--") else _short(word, letters, table)
            for name, value in given:
                flags.setdefault(name, []).append(_value(name, value, table, left))
    return tuple(plain_words), flags


def _long(word: str) -> list[tuple[str, str | None]]:
    name, has_value, value = word[2:].partition("=")
    return [(name.replace("_", "-"), value if has_value else None)]


def _short(word: str, letters: dict[str, str], table: dict[str, str]) -> list[tuple[str, str | None]]:
    """`-Awide` is `-A -w ide`…: letters up to the first that takes a value, which takes all that is left."""
    found: list[tuple[str, str | None]] = []
    rest = word[1:]
    while rest:
        letter, rest = rest[0], rest[1:]
        name = letters.get(letter)
        if name is None:
            if letter == "s":
                raise _Refused("-s would make it another cluster")
            raise _unknown(f"-{letter}", "filename" if letter in "fkR" else "")
        if rest.startswith("="):
            return [*found, (name, rest[1:])]
        if not table[name].startswith("!"):
            return [*found, (name, rest or None)]
        found.append((name, None))
    return found


def _value(name: str, value: str | None, table: dict[str, str], left: Iterator[str]) -> str:
    if name not in table:
        raise _unknown(f"--{name}", name)
    if value is not None:
        return value
    if table[name].startswith("!"):
        return "true"
    following = next(left, None)
    if following is None:
        raise _Write(f"--{name} has no value")
    return following


def _unknown(shown: str, name: str) -> _Write:
    if name in FILES:
        return _Refused(f"{shown} would read files of this machine")
    if name in ("raw", "flatten"):
        return _Refused(f"{shown} would go past what is known of the API, or show credentials")
    return _Write(f"{shown} is no flag that is known here")


def _harmless(asked: Asked) -> None:
    """Refuse what only looks like a read: files and programs as output formats, dashes that are none."""
    if (odd := next((w for w in asked.words if not w.isascii()), None)) is not None:
        raise _Refused(f"{odd[:40]!r} can't be a kind or a name, and may look like something else")
    form = asked.flag("output").partition("=")[0]
    if form.endswith("-file") or form.startswith(("go-template", "template", "templatefile")):
        raise _Refused(f"-o {form} would run a template or read files of this machine")
    if asked.verb == "cluster-info" and asked.words:
        raise _Write(f"`kubectl cluster-info {asked.words[0]}` may write files")
