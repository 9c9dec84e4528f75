"""Where a kind lives in the API: its group, version, plural, and the URL paths that follow from them."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from kubemend.model.errors import InvalidInput
from kubemend.model.objects import Obj
from kubemend.model.ref import Ref


@dataclass(frozen=True)
class Resource:
    """A resource type. `verbs` and `subresources` are empty when it was not found by discovery."""

    kind: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    verbs: frozenset[str] = frozenset()
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """As manifests have it: "apps/v1", or "v1" for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """The URL path of the group and version."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    def collection(self, namespace: str | None = None) -> str:
        """The URL path of all objects (of one namespace, for a kind that is in namespaces)."""
        if self.namespaced and namespace:
            return f"{self.root}/namespaces/{segment(namespace)}/{self.plural}"
        return f"{self.root}/{self.plural}"

    def object(self, namespace: str, name: str, subresource: str = "") -> str:
        """The URL path of one object; a path of its own, so that no empty name ever means the whole collection.

        InvalidInput for a name that would lead elsewhere, and for a namespace that is missing.
        """
        if self.namespaced and not namespace:
            raise InvalidInput(f"a {self.kind} is in a namespace, and none was given", where=name)
        path = f"{self.collection(namespace)}/{segment(name)}"
        return f"{path}/{segment(subresource)}" if subresource else path

    def answers_to(self, word: str) -> bool:
        """Whether a person may mean this by a word: kind, plural, singular, short name, or `plural.group`."""
        word = word.lower()
        plain = {self.kind.lower(), self.plural, self.singular, *self.short_names}
        return word in plain or (bool(self.group) and word == f"{self.plural}.{self.group}")


@functools.cache
def resource_of(kind: type[Obj]) -> Resource:
    """The resource of a kind we have a Struct for."""
    return Resource(kind.__name__, kind.plural, kind.group, kind.version, kind.namespaced)


def segment(text: str) -> str:
    """A name as one URL path segment. InvalidInput for what Kubernetes would not take for a name either."""
    # apimachinery's IsValidPathSegmentName: not "." or "..", and no "/" or "%".
    if not text or text in (".", "..") or "/" in text or "%" in text:
        raise InvalidInput(f"{text!r} can't be the name of an object")
    return quote(text, safe="")


def pick(resources: Iterable[Resource], word: str, group: str = "") -> Resource | None:
    """The resource a word means: the core group first, then in the server's own order."""
    found = [r for r in resources if r.answers_to(word) and (not group or r.group == group)]
    return next((r for r in found if not r.group), found[0] if found else None)


def exact(resources: Iterable[Resource], ref: Ref) -> Resource | None:
    """The resource of a reference's kind and group."""
    return next((r for r in resources if r.kind == ref.kind and r.group == ref.group), None)
