"""Would the scheduler place this pod on this node? kube-scheduler's hard filters, one node at a time.

Followed: NodeResourcesFit, NodeAffinity, TaintToleration, NodeUnschedulable, NodeName (`misfit`), NodePorts
(`port_misfits`), VolumeBinding, VolumeZone and VolumeRestrictions (`volume_misfits`), InterPodAffinity and
PodTopologySpread (`Neighbours`), all of `k8s.io/kubernetes/pkg/scheduler/framework/plugins`; together in `Room`.
Not followed, since their objects aren't read: limits of attached volumes, storage capacity, device claims.
"""

from kubemend.kube.scheduling.neighbours import Neighbours, affinity_misfit
from kubemend.kube.scheduling.node import Misfit, misfit, selects, tolerates
from kubemend.kube.scheduling.ports import host_ports, port_misfits
from kubemend.kube.scheduling.rehearsal import Rehearsal, rehearse
from kubemend.kube.scheduling.resources import free, requests
from kubemend.kube.scheduling.room import Room
from kubemend.kube.scheduling.volumes import Storage, volume_misfits

__all__ = [
    "Misfit",
    "Neighbours",
    "Rehearsal",
    "Room",
    "Storage",
    "affinity_misfit",
    "free",
    "host_ports",
    "misfit",
    "port_misfits",
    "rehearse",
    "requests",
    "selects",
    "tolerates",
    "volume_misfits",
]
