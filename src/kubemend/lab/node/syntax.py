"""Shell scripts as trees: words with what in them is still to be expanded, commands, lists, conditions, loops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Word = tuple[tuple[str, bool], ...]
"""Pieces of a word: (text, whether variables in it are expanded)."""

_OPERATORS = ("&&", "||", ";;", ";", "&", "|", "(", ")", "\n", ">>", ">", "<")
_RESERVED = frozenset({"if", "then", "elif", "else", "fi", "while", "until", "for", "do", "done", "{", "}"})
_SEPARATORS = frozenset({";", "\n", "&"})
_CHAINS = frozenset({"&&", "||", "|"})


class SyntaxProblem(Exception):
    """The script can't be read; the message says at what."""


@dataclass(frozen=True)
class Command:
    """Words to run, variables set before, files written. silent: its output goes into a pipe."""

    words: tuple[Word, ...]
    assigns: tuple[tuple[str, Word], ...] = ()
    writes: tuple[Word, ...] = ()
    silent: bool = False


@dataclass(frozen=True)
class List:
    """Items with how each is joined to the one before (";", "&&", "||"); "&" runs one beside the rest.

    tested: its failure was asked for, by a `||` say, so that `set -e` doesn't end the script.
    """

    items: tuple[tuple[str, Node], ...]
    tested: bool = False


@dataclass(frozen=True)
class If:
    """(condition, body) of `if` and each `elif`."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node | None


@dataclass(frozen=True)
class Loop:
    """`while` and `until` (inverted) with a condition, `for` with values."""

    body: Node
    condition: Node | None = None
    inverted: bool = False
    variable: str = ""
    values: tuple[Word, ...] | None = None


Node = Command | List | If | Loop
_Token = str | Word
"""An operator as text, or a word."""


def parse(script: str) -> Node:
    """Read a script. Raises `SyntaxProblem`."""
    reader = _Reader(list(_tokens(script)))
    tree = reader.sequence(())
    if reader.more():
        raise SyntaxProblem(f'unexpected "{_shown(reader.peek())}"')
    return tree


def _tokens(script: str) -> Iterator[_Token]:
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


def _text(token: _Token) -> str:
    """A word's text if nothing in it was quoted; an operator itself."""
    if isinstance(token, str):
        return token
    return "".join(text for text, _ in token) if all(live for _, live in token) else ""


def _shown(token: _Token) -> str:
    return token if isinstance(token, str) else "".join(text for text, _ in token)


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens, self._at = tokens, 0

    def more(self) -> bool:
        return self._at < len(self._tokens)

    def peek(self) -> _Token:
        return self._tokens[self._at] if self.more() else ""

    def take(self) -> _Token:
        token = self.peek()
        self._at += 1
        return token

    def expect(self, word: str) -> None:
        if _text(self.peek()) != word:
            raise SyntaxProblem(f'unexpected "{_shown(self.peek()) or "end of file"}" (expecting "{word}")')
        self.take()

    def sequence(self, ends: tuple[str, ...]) -> List:
        items: list[tuple[str, Node]] = []
        while True:
            while self.more() and self.peek() in _SEPARATORS:
                self.take()
            if not self.more() or _text(self.peek()) in ends or self.peek() in (")", ";;"):
                return List(tuple(items), tested=True)
            chain = self.chain()
            items.append(("&" if self.peek() == "&" else ";", chain))

    def chain(self) -> Node:
        items: list[tuple[str, Node]] = []
        joint = ";"
        while True:
            item = self.one()
            piped = self.peek() == "|"
            if piped and isinstance(item, Command):
                item = Command(item.words, item.assigns, item.writes, silent=True)
            items.append((";" if joint == "|" else joint, item))
            if self.peek() not in _CHAINS:
                return List(tuple(items), tested=len(items) > 1)
            joint = str(self.take())
            while self.peek() == "\n":
                self.take()

    def one(self) -> Node:
        match _text(self.peek()):
            case "if":
                return self._if()
            case "while" | "until" as word:
                self.take()
                condition = self.sequence(("do",))
                return Loop(self._body(), condition, inverted=word == "until")
            case "for":
                return self._for()
            case "{" | "(" as opening:
                self.take()
                inner = self.sequence(("}",))
                self.expect("}" if opening == "{" else ")")
                return inner
            case word if word in _RESERVED or (isinstance(self.peek(), str) and word not in (">", ">>", "<")):
                raise SyntaxProblem(f'unexpected "{word or "end of file"}"')
        return self._command()

    def _body(self) -> Node:
        self.expect("do")
        body = self.sequence(("done",))
        self.expect("done")
        return body

    def _if(self) -> If:
        branches = []
        self.expect("if")
        while True:
            condition = self.sequence(("then",))
            self.expect("then")
            branches.append((condition, self.sequence(("elif", "else", "fi"))))
            word = _text(self.take())
            if word != "elif":
                break
        otherwise = self.sequence(("fi",)) if word == "else" else None
        if word == "else":
            self.expect("fi")
        elif word != "fi":
            raise SyntaxProblem('unexpected "end of file" (expecting "fi")')
        return If(tuple(branches), otherwise)

    def _for(self) -> Loop:
        self.expect("for")
        variable = _text(self.take())
        self.expect("in")
        values = []
        while self.more() and not isinstance(self.peek(), str):
            values.append(self.take())
        while self.peek() in _SEPARATORS and self.more():
            self.take()
        return Loop(self._body(), variable=variable, values=tuple(v for v in values if not isinstance(v, str)))

    def _command(self) -> Command:
        words: list[Word] = []
        assigns: list[tuple[str, Word]] = []
        writes: list[Word] = []
        while self.more():
            token = self.peek()
            if isinstance(token, str):
                if token not in (">", ">>", "<"):
                    break
                self._redirect(words, writes)
                continue
            self.take()
            head, equals, rest = token[0][0].partition("=") if token and token[0][1] else ("", "", "")
            if equals and head.isidentifier() and not words:
                assigns.append((head, ((rest, True), *token[1:])))
            else:
                words.append(token)
        return Command(tuple(words), tuple(assigns), tuple(writes))

    def _redirect(self, words: list[Word], writes: list[Word]) -> None:
        """`> file`, `2>/dev/null`, `2>&1`, `< file`."""
        operator = self.take()
        stream = _text(words[-1]) if words else ""
        if stream in ("1", "2"):
            words.pop()
        if self.peek() == "&":
            self.take()
            self.take()
            return
        target = self.take()
        if isinstance(target, str):
            raise SyntaxProblem('unexpected "newline"')
        if operator != "<" and stream != "2":
            writes.append(target)
