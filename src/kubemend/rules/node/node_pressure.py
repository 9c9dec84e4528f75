"""KM602: a node that runs short of something."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Node, Pod
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.node.node_not_ready import placed_on
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.workload.words import count

_SHORT_OF = {"MemoryPressure": "memory", "DiskPressure": "disk space or inodes", "PIDPressure": "process ids"}


@rule(
    "KM602",
    severity=Severity.WARNING,
    reads=(Node,),
    uses=(Pod, *CONTROLLERS),
    explains=("KM113", "KM201", "KM203", "KM401", "KM503"),
    spreads=True,
    whole=True,
)
def node_pressure(snapshot: Snapshot) -> Iterator[Observation]:
    """A node is short of memory, disk or process ids.

    ## What it means
    The kubelet has set one of the conditions `MemoryPressure`, `DiskPressure` and `PIDPressure`, and keeps it
    for five minutes after the shortage has ended.

    ## Why it matters
    The kubelet evicts pods to get the resource back, and the node takes no (or fewer) new ones.

    ## What to do
    Find out what takes the resource: pods that use much more than they request, images and logs that fill
    the disk. Set requests and limits that fit, or make the node larger.
    """
    for node in snapshot.all(Node):
        for at, state in enumerate(node.status.conditions):
            if state.type not in _SHORT_OF or state.status != "True":
                continue
            evicted = [p for p in snapshot.group(Pod, placed_on, node.name) if p.status.reason == "Evicted"]
            yield Observation(
                about=node.ref,
                says=f"node is short of {_SHORT_OF[state.type]} ({count(len(evicted), 'pod')} evicted)",
                evidence=(cite(node, "status", "conditions", at, "type"),),
                confidence=0.95,
                facts={"condition": state.type, "evicted": len(evicted)},
                affects=tuple(dict.fromkeys(ref for p in evicted for ref in (snapshot.top(p).ref, p.ref))),
            )
