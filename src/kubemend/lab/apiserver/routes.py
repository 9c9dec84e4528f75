"""Which object a URL means, and what is asked of it (the API server's RequestInfo)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kubemend.kube.rbac import Ask

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get", "HEAD": "get"}
_NAMESPACE_PARTS = ("status", "finalize")


@dataclass(frozen=True)
class Route:
    """The place in the API that a path names. A path that is no resource has no `plural`."""

    path: str
    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    part: str = ""

    def attributes(self, method: str, *, watch: bool) -> Ask:
        """What a request of this method asks for, in RBAC's words."""
        if not self.plural:
            return Ask(_VERBS.get(method, method).lower(), path=self.path)
        verb = _VERBS.get(method, method.lower())
        if not self.name and verb in ("get", "delete"):
            verb = "deletecollection" if verb == "delete" else "watch" if watch else "list"
        return Ask(verb, self.plural, self.group, self.part, self.namespace, self.name)


def route(path: str) -> Route:
    """Take a path apart: `/api/v1/namespaces/shop/pods/web/log`, `/apis/apps/v1/deployments`, `/version`."""
    steps = [s for s in path.split("/") if s]
    match steps:
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            return Route(path)
    found = Route(path, group, version)
    match rest:
        case []:
            return found
        case ["namespaces", name, *part] if not part or (part[0] in _NAMESPACE_PARTS and len(part) == 1):
            return replace(found, plural="namespaces", namespace=name, name=name, part="".join(part))
        case ["namespaces", namespace, plural, *more]:
            return _named(replace(found, namespace=namespace, plural=plural), more)
        case [plural, *more]:
            return _named(replace(found, plural=plural), more)
    return found


def _named(found: Route, more: list[str]) -> Route:
    name, part = (more[0] if more else ""), "/".join(more[1:])
    return replace(found, name=name, part=part)


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean parameter: `watch=true`, `watch=1`, or `watch` alone."""
    return query.get(name, "0").lower() not in ("0", "false")
