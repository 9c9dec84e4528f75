"""Taking secrets out of what is shown: by their place in Kubernetes objects, and by the look of them in any text.

Nothing that leaves the program was not through here: answers of tools, audit records, diffs. It errs on the side of
hiding; image digests, uids and hashes, which look random too, are known by their form and stay. JSON and YAML in a
text are still JSON and YAML afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from kubemend.kube.secret_forms import (
    ARGUMENT,
    ASSIGNED,
    BLOCK,
    DULL,
    FLAG,
    FORMS,
    HIDDEN,
    LINE,
    NAME,
    NAMES_OF_SECRETS,
    NO_SECRET,
    PAIR,
    REPLACED,
    SPLIT,
    WORDS,
)

__all__ = ["HIDDEN", "names_secret", "redacted", "text"]

_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def redacted(value: Any) -> Any:
    """The same JSON value with every secret replaced by `<redacted>`. Never changes its argument."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, (list, tuple)):
        return _list(value)
    return value


def text(value: str) -> str:
    """A text without what looks like a secret in it: a log line, a message, a file."""
    if "{" in value and (made := _json_lines(value)) is not None:
        return made
    return _plain(value)


def _json_lines(value: str) -> str | None:
    """A text that is JSON, or has lines that are, with these redacted as what they are. None when it has none."""
    if (whole := _json(value)) is not None:
        return whole
    lines = value.splitlines(keepends=True)
    made = [_json(line) for line in lines]
    if not any(made):
        return None
    # What lies between is kept together: a key may stand on several lines.
    parts = []
    for is_json, group in groupby(zip(lines, made, strict=True), key=lambda pair: pair[1] is not None):
        pairs = list(group)
        parts.append(
            "".join(done or "" for _, done in pairs) if is_json else _plain("".join(line for line, _ in pairs))
        )
    return "".join(parts)


def _json(value: str) -> str | None:
    """A JSON object or array redacted, laid out as it was found: on one line or on several."""
    bare = value.strip()
    if bare[:1] not in ("{", "["):
        return None
    try:
        found = msgspec.json.decode(bare)
        clean = redacted(found)
    except (msgspec.DecodeError, RecursionError):
        return None
    if clean == found:
        return value
    end = value[len(value.rstrip()) :]
    if "\n" in bare:
        return msgspec.json.format(msgspec.json.encode(clean), indent=4).decode() + end
    return msgspec.json.encode(clean).decode() + end


def _plain(value: str) -> str:
    low = value.lower()
    for needle, form in FORMS:
        if needle in low:
            value = form.sub(HIDDEN, value)
    for needle, form, left in REPLACED:
        if needle in low:
            value = form.sub(left, value)
    return _named(value) if any(w in low for w in WORDS) else value


def _named(value: str) -> str:
    """A text without the values that stand behind names of secrets."""
    value = BLOCK.sub(lambda m: f"{m['indent']}{m['front']}{m['indent']}  {HIDDEN}\n", value)
    value = LINE.sub(lambda m: m[0] if _dull(m["value"].split()[0]) else m["front"] + HIDDEN, value)
    value = PAIR.sub(lambda m: _covered(m, m["front"]), value)
    value = ARGUMENT.sub(lambda m: _covered(m, m["front"]), value)
    return ASSIGNED.sub(lambda m: _covered(m, m["name"] + m["sep"]), value)


def names_secret(name: str) -> bool:
    """Whether a value under this name is to be hidden. Camel case is read as words."""
    return NAME.search(SPLIT.sub("_", name)) is not None


def _covered(match: re.Match[str], front: str) -> str:
    """What was matched with its value hidden, within its quotes; as it is when the value is harmless."""
    quote = match["q"]
    if _harmless(match["bare"] if quote is None else match["quoted"]):
        return match[0]
    return f"{front}{quote or ''}{HIDDEN}{quote or ''}"


def _harmless(value: str) -> bool:
    """Values that are no secret whatever the name before them says: truth values, small numbers, what is hidden."""
    bare = value.strip("\"'\\")
    return bare == "" or HIDDEN in bare or _dull(bare) or (bare.isdigit() and len(bare) < 5)


def _dull(word: str) -> bool:
    return word.strip(".,:;!?()").lower() in DULL or not any(c.isalnum() for c in word)


def _mapping(value: Mapping[Any, Any]) -> dict[Any, Any]:
    if _is_secret(value):
        value = _secret(value)
    elif value.get("kind") == "SecretList" and isinstance(value.get("items"), (list, tuple)):
        value = {**value, "items": [_secret(i) if isinstance(i, Mapping) else i for i in value["items"]]}
    for label, told in (("name", "value"), ("key", "value"), ("Name", "Value"), ("Key", "Value")):
        # An environment variable, a header, a tag.
        if isinstance(value.get(label), str) and isinstance(value.get(told), (str, int)) and names_secret(value[label]):
            value = {**value, told: HIDDEN}
    return {k: _under(str(k), v) for k, v in value.items()}


def _list(value: Sequence[Any]) -> list[Any]:
    """Also of arguments: what follows `--password` is one."""
    made, hide = [], False
    for item in value:
        made.append(HIDDEN if hide and isinstance(item, str) and not item.startswith("-") else redacted(item))
        hide = isinstance(item, str) and FLAG.match(item) is not None
    return made


def _under(name: str, value: Any) -> Any:
    if name == _APPLIED:
        return HIDDEN
    if not names_secret(name):
        return redacted(value)
    if isinstance(value, str):
        return redacted(value) if name in NAMES_OF_SECRETS or _harmless(value) else HIDDEN
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value < 10_000 or name in NO_SECRET else HIDDEN
    if isinstance(value, (list, tuple)) and name not in NO_SECRET:
        return [HIDDEN if isinstance(v, str) and not _harmless(v) else redacted(v) for v in value]
    return redacted(value)


def _is_secret(value: Mapping[Any, Any]) -> bool:
    """A Secret, or what can be no other object: it has stringData, or data and one of the types of Secrets."""
    if value.get("kind") == "Secret" and ("data" in value or "stringData" in value or "metadata" in value):
        return True
    declared = str(value.get("type", ""))
    typed = declared == "Opaque" or declared.startswith(("kubernetes.io/", "helm.sh/", "bootstrap.kuber"))
    return isinstance(value.get("stringData"), Mapping) or (typed and isinstance(value.get("data"), Mapping))


def _secret(value: Mapping[str, Any]) -> dict[str, Any]:
    hidden = {f: dict.fromkeys(value[f], HIDDEN) for f in ("data", "stringData") if isinstance(value.get(f), Mapping)}
    return {**value, **hidden}
