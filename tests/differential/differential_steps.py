"""What a client says to an API server, as data: one step is one request, and both servers are sent the same.

`${name}` in a path or body stands for something that an earlier answer of the same server held (`keep`), and `${ns}`
for the conversation's own namespace. A path without a leading slash is of the core group in that namespace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

JSON = "application/json"
JSON_PATCH, MERGE, STRATEGIC, APPLY = (
    f"application/{kind}"
    for kind in ("json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml")
)
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

APPS, BATCH, POLICY = (f"/apis/{g}/v1/namespaces/${{ns}}" for g in ("apps", "batch", "policy"))
NET, RBAC, FOUND = (
    f"/apis/{g}.k8s.io/v1/namespaces/${{ns}}" for g in ("networking", "rbac.authorization", "discovery")
)
CLUSTER_RBAC = "/apis/rbac.authorization.k8s.io/v1"
HPA = "/apis/autoscaling/v2/namespaces/${ns}/horizontalpodautoscalers"
REVIEWS = "/apis/authorization.k8s.io/v1"


@dataclass(frozen=True)
class Step:
    """One request, or something done beside the API (`act`).

    body: an object, bytes as they are, or None for no body. kind: its media type. keep: variable → JSON pointer into
    the answer. by: the variable that holds the asker's token, empty for the administrator. view: the part of the
    answer that is compared (`differential_view.VIEWS`), all of it when empty. stream: the answer is a watch, read
    until it ends. until: the code until which it is sent again, for what an API server learns a moment later; such a
    request must change nothing. hold: JSON pointer → value until which it is sent again, for what components do.
    """

    method: str
    path: str
    body: Any = None
    kind: str = JSON
    accept: str = ""
    keep: Mapping[str, str] = field(default_factory=dict)
    by: str = ""
    view: str = ""
    stream: bool = False
    until: int = 0
    hold: Mapping[str, Any] = field(default_factory=dict)
    act: str = ""
    name: str = ""


def get(path: str, **more: Any) -> Step:
    return Step("GET", path, **more)


def post(path: str, body: Any, **more: Any) -> Step:
    return Step("POST", path, body, **more)


def put(path: str, body: Any, **more: Any) -> Step:
    return Step("PUT", path, body, **more)


def patch(path: str, body: Any, kind: str = MERGE, **more: Any) -> Step:
    return Step("PATCH", path, body, kind, **more)


def delete(path: str, body: Any = None, **more: Any) -> Step:
    return Step("DELETE", path, body, **more)


def watch(path: str, query: str, **more: Any) -> Step:
    """A watch that the server ends after a second; what happened before it is read from its start."""
    return Step("GET", f"{path}?watch=1&timeoutSeconds=1&{query}", stream=True, **more)


def act(what: str) -> Step:
    """Something that is no request: `compact` forgets history, as etcd does in time."""
    return Step("", "", act=what, name=what)


def apply(path: str, manager: str, body: Any, *, force: bool = False, **more: Any) -> Step:
    """Server-side apply."""
    query = f"fieldManager={manager}" + ("&force=true" if force else "")
    return Step("PATCH", f"{path}{'&' if '?' in path else '?'}{query}", body, APPLY, **more)


def numbered(steps: Iterable[Step]) -> list[Step]:
    """The steps with names that are unique among them: "GET pods/a", "GET pods/a (2)"."""
    seen: Counter[str] = Counter()
    named = []
    for step in steps:
        told = step.name or f"{step.method} {step.path}{f' by {step.by}' if step.by else ''}"
        seen[told] += 1
        named.append(replace(step, name=told if seen[told] == 1 else f"{told} ({seen[told]})"))
    return named


def named(name: str = "it", **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, **fields}


def pod(
    name: str = "web", *, labels: dict[str, str] | None = None, spec: dict[str, Any] | None = None, **main: Any
) -> dict[str, Any]:
    container = {"name": "main", "image": "registry.lab/web:1", **main}
    meta = {"name": name, **({"labels": labels} if labels else {})}
    return {"metadata": meta, "spec": {"containers": [container], **(spec or {})}}


def workload(name: str = "web", *, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    labels = labels or {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}, "template": template, **spec}}


def config(name: str = "settings", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def typed(api_version: str, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """A body that says what it is, as apply wants it."""
    return {"apiVersion": api_version, "kind": kind, **body}
