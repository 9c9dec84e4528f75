"""Node (core/v1)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from kubemend.model.objects.meta import Condition, Obj, Part, Quantities


class Taint(Part, frozen=True, gc=False):
    key: str
    effect: str
    value: str = ""
    time_added: datetime | None = None


class NodeSpec(Part, frozen=True, gc=False):
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeAddress(Part, frozen=True, gc=False):
    type: str = ""
    address: str = ""


class NodeInfo(Part, frozen=True, gc=False):
    kubelet_version: str = ""
    container_runtime_version: str = ""
    os_image: str = ""
    architecture: str = ""


class NodeStatus(Part, frozen=True, gc=False):
    allocatable: Quantities = {}
    capacity: Quantities = {}
    conditions: tuple[Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()
    node_info: NodeInfo = NodeInfo()


class Node(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "nodes"
    namespaced: ClassVar[bool] = False

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()
