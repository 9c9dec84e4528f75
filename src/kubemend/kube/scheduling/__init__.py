"""Would the scheduler place this pod on this node? kube-scheduler's hard filters, one node at a time.

Followed: NodeResourcesFit, NodeAffinity, TaintToleration, NodeUnschedulable, NodeName (`misfit`), NodePorts
(`port_misfits`), VolumeBinding and VolumeZone (`volume_misfits`), VolumeRestrictions (there and in `disk_misfits`),
InterPodAffinity and PodTopologySpread (`Neighbours`), all of `k8s.io/kubernetes/pkg/scheduler/framework/plugins`;
together in `Room`, which is held against the real scheduler (`tests/control_plane/test_control_plane_scheduling.py`).
Not followed, since their objects aren't read: limits of attached volumes (CSINode), storage capacity
(CSIStorageCapacity), device claims. Nor are generic ephemeral volumes, whose claims come only after the pod;
a claim's class by its old annotation; scheduling gates, which keep a pod from being tried at all; preemption.
"""

from kubemend.kube.scheduling.disks import disk_misfits
from kubemend.kube.scheduling.neighbours import Neighbours, affinity_misfit
from kubemend.kube.scheduling.node import Misfit, misfit, selects, tolerates
from kubemend.kube.scheduling.ports import host_ports, port_misfits
from kubemend.kube.scheduling.rehearsal import Rehearsal, rehearse
from kubemend.kube.scheduling.resources import free, held, needs, requests
from kubemend.kube.scheduling.room import Room
from kubemend.kube.scheduling.volumes import Storage, volume_misfits

__all__ = [
    "Misfit",
    "Neighbours",
    "Rehearsal",
    "Room",
    "Storage",
    "affinity_misfit",
    "disk_misfits",
    "free",
    "held",
    "host_ports",
    "misfit",
    "needs",
    "port_misfits",
    "rehearse",
    "requests",
    "selects",
    "tolerates",
    "volume_misfits",
]
