"""Permissions and risk, in Kubernetes RBAC's own words."""

from __future__ import annotations

import enum

from msgspec import Struct


class Risk(enum.IntEnum):
    """How much a tool or strategy may change, mildest first."""

    READ = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3


class Access(Struct, frozen=True, order=True):
    """One RBAC permission: verb on resource ("pods", "pods/eviction") in an API group ("" is core)."""

    verb: str
    resource: str
    group: str = ""
