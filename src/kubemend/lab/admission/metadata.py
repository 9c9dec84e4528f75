"""What every object's metadata must be (`k8s.io/apimachinery/pkg/api/validation` and `pkg/util/validation`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import Cause
from kubemend.lab.kinds import Kind

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_SERVICE = "[a-z]([-a-z0-9]*[a-z0-9])?"
_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_NAME_PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_ENDS = "must start and end with an alphanumeric character"

ANNOTATIONS = 256 * 1024
"""Bytes that all annotations of an object may have together."""


def _used(regex: str) -> str:
    return f"regex used for validation is '{regex}')"


def subdomain(name: str) -> str | None:
    """What is wrong with a DNS-1123 subdomain, or None."""
    if len(name) > 253:
        return "must be no more than 253 characters"
    if re.fullmatch(_SUBDOMAIN, name):
        return None
    return (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
        f"{_ENDS} (e.g. 'example.com', {_used(_SUBDOMAIN)}"
    )


def label(name: str) -> str | None:
    """What is wrong with a DNS-1123 label, or None."""
    if "." in name:
        return "must not contain dots"
    if len(name) > 63:
        return "must be no more than 63 characters"
    if re.fullmatch(_LABEL, name):
        return None
    return (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
        f"{_ENDS} (e.g. 'my-name',  or '123-abc', {_used(_LABEL)}"
    )


def _service(name: str) -> str | None:
    if len(name) > 63:
        return "must be no more than 63 characters"
    if re.fullmatch(_SERVICE, name):
        return None
    return (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
        f"character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', {_used(_SERVICE)}"
    )


def _path_segment(name: str) -> str | None:
    if name in (".", ".."):
        return f"may not be '{name}'"
    return next((f"may not contain '{c}'" for c in "/%" if c in name), None)


def _cronjob(name: str) -> str | None:
    return "must be no more than 52 characters" if len(name) > 52 else subdomain(name)


_NAMES: dict[str, Callable[[str], str | None]] = {
    "Namespace": label,
    "Service": _service,
    "CronJob": _cronjob,
    "Role": _path_segment,
    "ClusterRole": _path_segment,
    "RoleBinding": _path_segment,
    "ClusterRoleBinding": _path_segment,
}


def check(kind: Kind, obj: Object) -> Iterator[Cause]:
    """Faults of `metadata`."""
    meta = obj["metadata"]
    name, base = meta.get("name", ""), meta.get("generateName", "")
    # A base may end with what a name may not, for more is to come.
    if base and (wrong := _NAMES.get(kind.kind, subdomain)(_masked(base))):
        yield Cause.invalid("metadata.generateName", base, wrong)
    if not name:
        yield Cause.required("metadata.name", "name or generateName is required")
    elif wrong := _NAMES.get(kind.kind, subdomain)(name):
        yield Cause.invalid("metadata.name", name, wrong)
    yield from labels(meta.get("labels") or {}, "metadata.labels")
    yield from _annotations(meta.get("annotations") or {})
    yield from _owners(meta.get("ownerReferences") or ())
    for i, finalizer in enumerate(meta.get("finalizers") or ()):
        if wrong := qualified(finalizer):
            yield Cause.invalid("metadata.finalizers", finalizer, wrong)
        if "/" not in finalizer and finalizer not in ("foregroundDeletion", "kubernetes", "orphan"):
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield Cause.invalid(f"metadata.finalizers[{i}]", finalizer, detail)


def _masked(base: str) -> str:
    """The base of a generated name as it is checked: its last dash counts as a letter (`maskTrailingDash`)."""
    return f"{base[:-2]}a" if len(base) > 1 and base.endswith("-") else base


def labels(found: Mapping[str, str], at: str) -> Iterator[Cause]:
    """Faults of a map of labels."""
    for key, value in found.items():
        if wrong := qualified(key):
            yield Cause.invalid(at, key, wrong)
        if wrong := label_value(value):
            yield Cause.invalid(at, value, wrong)


def qualified(key: str) -> str | None:
    """What is wrong with a label key, annotation key or finalizer, or None."""
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        return "prefix part must be non-empty"
    if slash and (wrong := subdomain(prefix)):
        return f"prefix part {wrong}"
    if not name:
        return "name part must be non-empty"
    if len(name) > 63:
        return "name part must be no more than 63 characters"
    if re.fullmatch(_NAME_PART, name):
        return None
    return (
        f"name part must consist of alphanumeric characters, '-', '_' or '.', and {_ENDS} "
        f"(e.g. 'MyName',  or 'my.name',  or '123-abc', {_used(_NAME_PART)}"
    )


def label_value(value: str) -> str | None:
    """What is wrong with a label's value, or None."""
    if len(value) > 63:
        return "must be no more than 63 characters"
    if re.fullmatch(_VALUE, value):
        return None
    return (
        f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and {_ENDS} "
        f"(e.g. 'MyValue',  or 'my_value',  or '12345', {_used(_VALUE)}"
    )


def _annotations(found: Mapping[str, str]) -> Iterator[Cause]:
    for key in found:
        if wrong := qualified(key.lower()):
            yield Cause.invalid("metadata.annotations", key, wrong)
    if sum(len(k) + len(v) for k, v in found.items()) > ANNOTATIONS:
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {ANNOTATIONS} bytes", "metadata.annotations")


def _owners(owners: Any) -> Iterator[Cause]:
    at = "metadata.ownerReferences"
    for owner in owners:
        if not owner.get("apiVersion"):
            yield Cause.invalid(f"{at}.apiVersion", "", "version must not be empty")
        for field in ("kind", "name", "uid"):
            if not owner.get(field):
                yield Cause.invalid(f"{at}.{field}", "", "must not be empty")
    controlling = [f"{o.get('kind', '')}/{o.get('name', '')}" for o in owners if o.get("controller")]
    if len(controlling) > 1:
        detail = 'Only one reference can have Controller set to true. Found "true" in references for '
        yield Cause.invalid(at, list(owners), f"{detail}{controlling[0]} and {controlling[1]}")


def changed(old: Object, new: Object) -> Iterator[Cause]:
    """Faults of a change of metadata. The server tells each twice, and so do we."""
    for field in ("uid", "deletionTimestamp", "deletionGracePeriodSeconds"):
        before, after = old["metadata"].get(field), new["metadata"].get(field)
        if before != after:
            cause = Cause.invalid(f"metadata.{field}", after, "field is immutable")
            yield cause
            yield cause
    if old["metadata"].get("deletionTimestamp"):
        added = [f for f in new["metadata"].get("finalizers") or () if f not in old["metadata"].get("finalizers", ())]
        if added:
            told = "[]string{" + ", ".join(f'"{f}"' for f in added) + "}"
            detail = f"no new finalizers can be added if the object is being deleted, found new finalizers {told}"
            cause = Cause.forbidden("metadata.finalizers", detail)
            yield cause
            yield cause
