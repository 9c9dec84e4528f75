"""Shell scripts as trees: commands, lists, conditions, loops."""

from __future__ import annotations

from dataclasses import dataclass

from kubemend.lab.node.words import SyntaxProblem, Token, Word, shown, text, tokens

_RESERVED = frozenset({"if", "then", "elif", "else", "fi", "while", "until", "for", "do", "done", "{", "}"})
_SEPARATORS = frozenset({";", "\n", "&"})
_CHAINS = frozenset({"&&", "||", "|"})


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


def parse(script: str) -> Node:
    """Read a script. Raises `SyntaxProblem`."""
    reader = _Reader(list(tokens(script)))
    tree = reader.sequence(())
    if reader.more():
        raise SyntaxProblem(f'unexpected "{shown(reader.peek())}"')
    return tree


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens, self._at = tokens, 0

    def more(self) -> bool:
        return self._at < len(self._tokens)

    def peek(self) -> Token:
        return self._tokens[self._at] if self.more() else ""

    def take(self) -> Token:
        token = self.peek()
        self._at += 1
        return token

    def expect(self, word: str) -> None:
        if text(self.peek()) != word:
            raise SyntaxProblem(f'unexpected "{shown(self.peek()) or "end of file"}" (expecting "{word}")')
        self.take()

    def sequence(self, ends: tuple[str, ...]) -> List:
        items: list[tuple[str, Node]] = []
        while True:
            while self.more() and self.peek() in _SEPARATORS:
                self.take()
            if not self.more() or text(self.peek()) in ends or self.peek() in (")", ";;"):
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
        match text(self.peek()):
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
            word = text(self.take())
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
        variable = text(self.take())
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
        stream = text(words[-1]) if words else ""
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
