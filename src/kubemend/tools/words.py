"""Parameters that many tools share, each described and bounded once. The bounds are the API server's own."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9.:]*[a-z0-9])?$"

Namespace = Annotated[str, Meta(description="Namespace.", pattern=_LABEL, max_length=63)]
"""RFC 1123 label: nothing in it can leave its place in a URL."""

Scope = Annotated[
    Annotated[str, Meta(pattern=_LABEL, max_length=63)] | None,
    Meta(description="Namespace to look in; all when omitted."),
]

Name = Annotated[str, Meta(description="Name of the object.", pattern=_SUBDOMAIN, max_length=253)]
"""RFC 1123 subdomain; RBAC objects may have colons too."""

MaybeName = Annotated[str, Meta(pattern=_SUBDOMAIN, max_length=253)] | None
"""The same, where it may be left out; to be annotated with what is named."""

Limit = Annotated[int, Meta(description="How many to show at most.", ge=1, le=500)]
After = Annotated[str, Meta(description="`truncated.continue` of the answer before, to see what comes next.")]
Hours = Annotated[int, Meta(description="How far back to look, in hours.", ge=1, le=168)]
Kind = Annotated[
    str,
    Meta(
        description="Kind, plural or short name, in any case; `plural.group` where several groups have it.",
        pattern=r"^[A-Za-z][-A-Za-z0-9.]*$",
        max_length=253,
    ),
]
Timeout = Annotated[int, Meta(description="How long to wait at most, in seconds.", ge=1, le=600)]
RepairId = Annotated[
    str, Meta(description="Id of the repair; list_repairs shows them.", pattern=r"^r[0-9a-f]{8}$", max_length=9)
]
