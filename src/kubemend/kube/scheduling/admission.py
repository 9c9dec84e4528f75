"""What admission makes of a pod before the scheduler sees it, as far as it matters for where the pod may go."""

from __future__ import annotations

from msgspec import structs

from kubemend.model.objects.pod import PodSpec, Toleration

LOST = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
MINUTES_5 = 300


def admitted(spec: PodSpec) -> PodSpec:
    """A pod as the plugin DefaultTolerationSeconds, which is on by default, lets it in: again and again the same.

    It tolerates for five minutes what says that a node is lost, unless it has a word of its own on that.
    """
    silent = [key for key in LOST if not any(_speaks_of(t, key) for t in spec.tolerations)]
    if not silent:
        return spec
    more = (Toleration(key, "Exists", effect="NoExecute", toleration_seconds=MINUTES_5) for key in silent)
    return structs.replace(spec, tolerations=(*spec.tolerations, *more))


def _speaks_of(toleration: Toleration, key: str) -> bool:
    return toleration.key in ("", key) and toleration.effect in ("", "NoExecute")
