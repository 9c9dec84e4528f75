"""Shell text as a syntax tree: is it one plain command, and which words has it? Whatever is not plain says why.

The only place that knows tree-sitter. Its grammar mends what it can't parse, so a tree is believed only where words
and blanks account for every byte of the text.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

BLANK = re.compile(r"[ \t]+(?:\\\n[ \t]*)*")
"""What stands between two words: blanks, and lines continued after a blank."""
AROUND = re.compile(r"(?:[ \t\n]|\\\n)*")
BRACES = re.compile(r"\{[^{}]*(?:,|[^{}.]\.\.[^{}.])[^{}]*\}")
"""What bash expands to several words; `{.items[*]}` it leaves alone."""
SHAPES = {
    "pipeline": "a pipeline",
    "list": "more than one command",
    "redirected_statement": "a redirection",
    "file_redirect": "a redirection",
    "herestring_redirect": "a here-string",
    "heredoc_redirect": "a here-document",
    "variable_assignment": "an environment prefix",
    "variable_assignments": "an environment prefix",
    "command_substitution": "a command substitution",
    "process_substitution": "a process substitution",
    "simple_expansion": "a variable",
    "expansion": "a variable",
    "arithmetic_expansion": "an arithmetic expansion",
    "ansi_c_string": "a string with escapes",
    "translated_string": "a translated string",
    "subshell": "a subshell",
    "compound_statement": "a block",
    "function_definition": "a function",
    "negated_command": "a negation",
    "comment": "a comment",
}


class NotPlain(Exception):
    """The text is not one plain command. `why`: what it has, in a few words."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def hidden(text: str) -> str:
    """Why a text may read otherwise than it runs: control, invisible and direction characters. Empty: it may not."""
    for char in text:
        category = unicodedata.category(char)
        blank = category in ("Zs", "Zl", "Zp") and char != " "
        if blank or (category in ("Cc", "Cf", "Cs", "Co", "Cn") and char not in "\t\n"):
            return f"it has the character U+{ord(char):04X}, which can't be seen"
    return ""


def plain(text: str) -> tuple[str, ...]:
    """The words of a text that is one plain command, as bash would give them to the program. NotPlain for all else.

    Patterns (`*`, `?`, `[`) stay as they are: no shell runs these words, and there are no files.
    """
    source = text.encode()
    root = _parser().parse(source).root_node
    if root.has_error:
        raise NotPlain(_odd(root) or "it can't be parsed")
    command = root.named_children[0] if root.named_child_count == 1 else None
    if command is None or command.type != "command":
        raise NotPlain(_odd(root) or ("more than one command" if root.named_child_count else "nothing"))
    words = tuple(_word(n, source) for n in command.named_children)
    _accounted(source, command.named_children)
    return words


def head(text: str) -> tuple[str, str] | None:
    """The first command of a text that is one pipeline, and all that comes after the first `|`."""
    source = text.encode()
    root = _parser().parse(source).root_node
    only = root.named_children[0] if root.named_child_count == 1 and not root.has_error else None
    if only is None or only.type != "pipeline" or source[only.end_byte :].strip():
        return None
    first, bar = only.children[0], only.children[1]
    return (_text(first, source), source[bar.end_byte :].decode()) if bar.type == "|" else None


@functools.cache
def _parser() -> Parser:
    import tree_sitter_bash  # noqa: PLC0415 - a parser of native code, wanted by the first command only
    from tree_sitter import Language, Parser  # noqa: PLC0415 - likewise

    return Parser(Language(tree_sitter_bash.language()))


def _text(node: Node, source: bytes) -> str:
    return source[node.start_byte : node.end_byte].decode()


def _odd(node: Node) -> str:
    """The first thing in a tree that a plain command hasn't, in words."""
    if node.type in SHAPES:
        return SHAPES[node.type]
    if node.type.endswith("_statement"):
        return "a statement of the shell's own"
    return next((found for child in node.children if (found := _odd(child))), "")


def _word(node: Node, source: bytes) -> str:
    """One word without its quotes."""
    raw = _text(node, source)
    match node.type:
        case "word" | "number":
            return _bare(raw)
        case "raw_string":
            return raw[1:-1]
        case "string" if all(c.type == "string_content" for c in node.named_children) and raw.startswith('"'):
            return re.sub(r'\\(\n|[$`"\\])', lambda m: m[1].strip("\n"), raw[1:-1])
        case "command_name" if node.named_child_count == 1:
            return _word(node.named_children[0], source)
        case "concatenation":
            return _joined(node, raw, source)
        case _:
            raise NotPlain(_odd(node) or f"a {node.type.replace('_', ' ')}")


def _joined(node: Node, raw: str, source: bytes) -> str:
    parts = node.named_children
    if sum(p.end_byte - p.start_byte for p in parts) != len(raw.encode()):
        raise NotPlain("a word that can't be taken apart")
    unquoted = "".join(_text(p, source) if p.type == "word" else "_" for p in parts)
    if BRACES.search(unquoted):
        raise NotPlain("a brace expansion")
    return "".join(_word(p, source) for p in parts)


def _bare(raw: str) -> str:
    if raw.startswith("~"):
        raise NotPlain("a home folder")
    if "\\\n" in raw:
        raise NotPlain("a word over two lines")
    if BRACES.search(raw):
        raise NotPlain("a brace expansion")
    return re.sub(r"\\(.)", r"\1", raw)


def _accounted(source: bytes, words: list[Node]) -> None:
    """Words and blanks are all there is: no operator that the tree doesn't name, no line joined in a word."""
    gaps = [source[a.end_byte : b.start_byte].decode() for a, b in pairwise(words)]
    ends = (source[: words[0].start_byte].decode(), source[words[-1].end_byte :].decode())
    if not all(BLANK.fullmatch(g) for g in gaps) or not all(AROUND.fullmatch(e) for e in ends):
        raise NotPlain("an operator of the shell")
