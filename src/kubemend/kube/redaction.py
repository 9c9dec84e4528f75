"""Taking secrets out of what is shown: by their place in Kubernetes objects, and by the look of them in any text.

Nothing that leaves the program was not through here: answers of tools, audit records, diffs. It errs on the side of
hiding; image digests, uids and hashes, which look random too, are known by their form and stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "<redacted>"

_WORD = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key(?:[-_]?id)?|secret[-_]?key|private[-_]?key"
    r"|client[-_]?secret|client[-_]?key|credentials?|auth(?:orization)?|bearer|cookie|session[-_]?id|dsn"
    r"|connection[-_]?string|conn[-_]?str|webhook[-_]?url|signing[-_]?key|encryption[-_]?key|license[-_]?key|salt"
)
SECRET_NAME = re.compile(rf"(?i)(?:^|[-_.])(?:[a-z0-9]*[-_.])*(?:{_WORD})(?:[-_.]?(?:data|value|b64|base64|file))?$")
"""Names under which values are secrets: of environment variables, of fields, of keys in a file."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

NOT_SECRET = frozenset(
    {
        "secretName", "secretRef", "secretKeyRef", "tokenExpirationSeconds", "automountServiceAccountToken",
        "authority", "passwordSecretRef", "secretNamespace", "imagePullSecrets", "nextToken", "continue",
        "sessionAffinity",
    }
)  # fmt: skip
"""Fields of the Kubernetes API whose names sound like it and hold none."""

_ASSIGNED = re.compile(
    rf"""(?ix)
    (?P<name>["']?\b[\w.-]*?(?:{_WORD})(?:[-_]?(?:data|value))?["']?)
    (?P<sep>\s*(?:=|:(?!//)|\sis\s)\s*)
    (?P<value>"(?:[^"\\]|\\.)*"|'[^']*'|(?:(?:bearer|basic|token)\s+)?[^\s"',;&}}\])]+)
    """
)
_FORMS = tuple(
    re.compile(p)
    for p in (
        # PEM blocks, also cut off, also on one line with \n written out
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----END))*(?:-----END [A-Z0-9 ]*-----)?",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",  # JSON Web Tokens
        r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}",
        r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}\b",  # AWS
        r"\bgh[pousr]_[A-Za-z0-9]{20,}\b|\bgithub_pat_[A-Za-z0-9_]{20,}\b|\bglpat-[A-Za-z0-9_-]{16,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{8,}|https://hooks\.slack\.com/services/[A-Za-z0-9/_-]+",
        r"\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}",  # Google
        r"\b(?:sk|rk|pk)[-_](?:live|test|proj|ant|or)?[-_]?[A-Za-z0-9_-]{16,}",  # Stripe, OpenAI, Anthropic
        r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{30,}|\bdop_v1_[a-f0-9]{40,}",
        r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\bdckr_pat_[A-Za-z0-9_-]{16,}|\bhf_[A-Za-z0-9]{20,}",
        r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b",  # bootstrap tokens of kubeadm
        r"(?i)\bAccountKey=[A-Za-z0-9+/=]{20,}",
        r"(?i)[?&](?:sig|signature|x-amz-signature|access_token|token|key|apikey)=[^&\s\"']+",
    )
)
_USERINFO = re.compile(r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<user>[^\s/:@\"']*):(?P<password>[^\s/@\"']+)@")
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def redacted(value: Any) -> Any:
    """The same JSON value with every secret replaced by `<redacted>`. Never changes its argument."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, (list, tuple)):
        return [redacted(v) for v in value]
    return value


def text(value: str) -> str:
    """A text without what looks like a secret in it: a log line, a message, a file."""
    if len(value) < 6:
        return value
    for form in _FORMS:
        value = form.sub(HIDDEN, value)
    value = _USERINFO.sub(rf"\g<scheme>\g<user>:{HIDDEN}@", value)
    return _ASSIGNED.sub(lambda m: m["name"] + m["sep"] + (m["value"] if _harmless(m["value"]) else HIDDEN), value)


def names_secret(name: str) -> bool:
    """Whether a value under this name is to be hidden. Camel case is read as words."""
    return name not in NOT_SECRET and SECRET_NAME.search(_CAMEL.sub("_", name)) is not None


def _harmless(value: str) -> bool:
    """Values that are no secret whatever the name before them says: truth values, small numbers, what is hidden."""
    bare = value.strip("\"'")
    return bare.lower() in ("", "true", "false", "null", "none", "yes", "no", HIDDEN) or (
        bare.isdigit() and len(bare) < 5
    )


def _mapping(value: Mapping[Any, Any]) -> dict[Any, Any]:
    if value.get("kind") == "Secret" and ("data" in value or "stringData" in value or "metadata" in value):
        value = _secret(value)
    elif "name" in value and isinstance(value.get("value"), str) and names_secret(str(value["name"])):
        value = {**value, "value": HIDDEN}  # an environment variable, a header
    return {k: _under(str(k), v) for k, v in value.items()}


def _under(name: str, value: Any) -> Any:
    if name == _APPLIED:
        return HIDDEN
    if isinstance(value, str) and names_secret(name) and not _harmless(value):
        return HIDDEN
    return redacted(value)


def _secret(value: Mapping[str, Any]) -> dict[str, Any]:
    hidden = {f: dict.fromkeys(value[f], HIDDEN) for f in ("data", "stringData") if isinstance(value.get(f), Mapping)}
    return {**value, **hidden}
