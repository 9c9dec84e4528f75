"""Would the scheduler place this pod on this node? kube-scheduler's hard filters, one node at a time.

Followed: NodeResourcesFit, NodeAffinity, TaintToleration, NodeUnschedulable, NodeName (`misfit`), InterPodAffinity
and PodTopologySpread (`Neighbours`), all of `k8s.io/kubernetes/pkg/scheduler/framework/plugins`.
Not followed, since their objects aren't read: host ports, volume binding and limits, device claims.
"""

from kubemend.kube.scheduling.neighbours import Neighbours, affinity_misfit
from kubemend.kube.scheduling.node import Misfit, misfit, selects, tolerates
from kubemend.kube.scheduling.rehearsal import Rehearsal, rehearse
from kubemend.kube.scheduling.resources import free, requests

__all__ = [
    "Misfit",
    "Neighbours",
    "Rehearsal",
    "affinity_misfit",
    "free",
    "misfit",
    "rehearse",
    "requests",
    "selects",
    "tolerates",
]
