"""Shell scripts as words and operators, with what in a word is still to be expanded."""

from __future__ import annotations

from collections.abc import Iterator

Word = tuple[tuple[str, bool], ...]
"""Pieces of a word: (text, whether variables in it are expanded)."""
Token = str | Word
"""An operator as text, or a word."""

_OPERATORS = ("&&", "||", ";;", ";", "&", "|", "(", ")", "\n", ">>", ">", "<")


class SyntaxProblem(Exception):
    """The script can't be read; the message says at what."""


def tokens(script: str) -> Iterator[Token]:
    """The script from left to right. Raises `SyntaxProblem` for a quote or parenthesis that isn't closed."""
    at = 0
    while at < len(script):
        char = script[at]
        if char in " \t" or script.startswith("\\\n", at):
            at += 1 if char in " \t" else 2
        elif char == "#":
            at = script.find("\n", at) if "\n" in script[at:] else len(script)
        elif (operator := next((o for o in _OPERATORS if script.startswith(o, at)), None)) is not None:
            yield operator
            at += len(operator)
        else:
            word, at = _word(script, at)
            yield word


def _word(script: str, at: int) -> tuple[Word, int]:
    pieces: list[tuple[str, bool]] = []
    while at < len(script) and script[at] not in " \t\n;&|()<>":
        if script[at] == "'":
            end = _find(script, "'", at + 1)
            pieces.append((script[at + 1 : end], False))
            at = end + 1
        elif script[at] == '"':
            text, at = _quoted(script, at + 1)
            pieces.extend(text)
        elif script[at] == "\\" and at + 1 < len(script):
            pieces.append((script[at + 1], False))
            at += 2
        else:
            end = _plain_end(script, at)
            pieces.append((script[at:end], True))
            at = end
    return tuple(pieces), at


def _plain_end(script: str, at: int) -> int:
    """Where unquoted text ends; a `$( … )` in it belongs to it."""
    start = at
    while at < len(script) and script[at] not in " \t\n;&|()<>'\"\\":
        if script.startswith("$(", at):
            at = _substitution_end(script, at + 2)
        elif script[at] == "$" and script[at + 1 : at + 2] == "{":
            at = _find(script, "}", at) + 1
        else:
            at += 1
    return max(at, start + 1)


def _quoted(script: str, at: int) -> tuple[list[tuple[str, bool]], int]:
    pieces: list[tuple[str, bool]] = []
    text = ""
    while at < len(script) and script[at] != '"':
        if script[at] == "\\" and script[at + 1 : at + 2] in ('"', "\\", "$", "`"):
            pieces += [(text, True), (script[at + 1], False)]
            text, at = "", at + 2
        elif script.startswith("$(", at):
            end = _substitution_end(script, at + 2)
            text, at = text + script[at:end], end
        else:
            text, at = text + script[at], at + 1
    if at >= len(script):
        raise SyntaxProblem("unterminated quoted string")
    return [*pieces, (text, True)], at + 1


def _substitution_end(script: str, at: int) -> int:
    depth = 1
    while at < len(script):
        depth += {"(": 1, ")": -1}.get(script[at], 0)
        at += 1
        if depth == 0:
            return at
    raise SyntaxProblem('missing ")"')


def _find(script: str, wanted: str, at: int) -> int:
    found = script.find(wanted, at)
    if found < 0:
        raise SyntaxProblem(f"missing {wanted}")
    return found


def text(token: Token) -> str:
    """A word's text if nothing in it was quoted; an operator itself."""
    if isinstance(token, str):
        return token
    return "".join(text for text, _ in token) if all(live for _, live in token) else ""


def shown(token: Token) -> str:
    """A token as it's told to a person."""
    return token if isinstance(token, str) else "".join(text for text, _ in token)
