"""Back to the revision that worked."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.kube.references import references
from kubemend.kube.rollout import is_of_revision
from kubemend.model.access import Access, Risk
from kubemend.model.finding import Cite, Diagnosis, cite
from kubemend.model.objects import ControllerRevision, Deployment, Pod, PodSpec, PodTemplate, ReplicaSet
from kubemend.model.objects.pod import SecurityContext, Volume
from kubemend.model.plan import Declined, RollBack
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.site import Before, Site, Workload, before, site, stragglers, thriving, verified
from kubemend.remedies.workload import REVISED

SEASONED_S = 86400.0
"""Seconds after which a revision has had its time, so that what fails now has probably come from elsewhere."""


START_S = 300.0
"""Seconds that a pod of a new revision may take to become ready, unless the Deployment itself allows less."""

_IMAGES = ("KM103", "KM104", "KM105")
_CONFIGURATION = {"KM106": "ConfigMap", "KM107": "ConfigMap", "KM108": "Secret"}

REVISION = "deployment.kubernetes.io/revision"


@strategy(
    cures=(
        *("KM102", "KM103", "KM104", "KM105", "KM106", "KM107", "KM108", "KM109", "KM110", "KM111", "KM112"),
        *("KM201", "KM202", "KM203", "KM204", "KM401", "KM407"),
    ),
    risk=Risk.MEDIUM,
    reads=(Deployment, ReplicaSet, Pod),
    uses=(ControllerRevision,),
    needs={
        *REVISED,
        Access("get", "replicasets", "apps"),
        Access("get", "controllerrevisions", "apps"),
    },
    order=60,
)
def roll_back_revision(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Give a Deployment, StatefulSet or DaemonSet the pod template of its last good revision.

    Planned when the newest revision is the one that fails and an earlier one is there: with ready replicas,
    which proves it, or at least as the newest of the earlier ones, which is trusted less; but not when an image,
    ConfigMap or Secret is missing that the earlier one names too. The whole template goes back, as with
    `kubectl rollout undo`: what is written is that of the ReplicaSet (or ControllerRevision) itself, read when it is
    needed, with all that a scan doesn't read (literal values of environment variables, for example). Pods that the
    controller of a StatefulSet would leave broken under the earlier template are evicted.

    ## Safety
    Replicas, and everything outside the pod template, stay as they are. Pods roll over within the bounds of
    the workload's own strategy. Nothing is written unless the revision is still the same object and the
    workload's own. The risk is high when the earlier revision runs as another service account, on the host's
    network, with other security contexts, or with a volume of a kind that a scan doesn't read. Where it isn't
    high, other privileges that only show in the whole template (the host's processes, the pod's own security
    context) are refused before the write.
    """
    found = site(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    if isinstance(found.obj, Pod):
        return Declined("a pod without a controller has no revisions")
    if (why := _blameless(diagnosis, snapshot, found.obj)) is not None:
        return Declined(why)
    if diagnosis.root.code == "KM407" and diagnosis.root.facts.get("kind") == "webhook":
        return Declined("a webhook that can't be reached refuses the pods of any revision")
    stable = before(found, snapshot)
    if stable is None:
        return Declined("there is no earlier revision to go back to")
    if (lacks := _lacks_too(diagnosis, found, stable)) is not None:
        return Declined(f"{stable.title} wants {lacks} as well")
    return _planned(diagnosis, snapshot, found, found.obj, stable)


def _blameless(diagnosis: Diagnosis, snapshot: Snapshot, workload: Workload) -> str | None:
    """Why the newest revision isn't what fails."""
    if workload.metadata.generation > workload.status.observed_generation:
        return "its controller has not seen its latest change yet"
    newest = snapshot.revisions(workload)[:1]
    pod = snapshot.find(diagnosis.root.about)
    if not isinstance(pod, Pod) or not newest:
        return None
    if not is_of_revision(pod, newest[0], snapshot):
        return f"{pod.ref} is not of the newest revision"
    if well := thriving(pod, snapshot):
        return f"the newest revision works in {len(well)} other pods"
    return _starting(diagnosis, snapshot, workload, pod)


def _lacks_too(diagnosis: Diagnosis, found: Site, stable: Before) -> str | None:
    """What is missing, if the earlier revision asks for it in the same way: a new pod of it would fail alike."""
    facts, spec = diagnosis.root.facts, stable.revision.template.spec
    if diagnosis.root.code in _IMAGES:
        alike = _pulls(spec, str(facts.get("container"))) == _pulls(found.template.spec, str(facts.get("container")))
        return f"image {facts.get('image')!r}" if alike else None
    kind = _CONFIGURATION.get(diagnosis.root.code)
    name, key = facts.get("name"), facts.get("key") or None
    same = (r for r in references(spec) if r.kind == kind and r.name == name and not r.optional)
    return f"{kind} {name!r}" if any(key in (None, r.key) for r in same) else None


def _pulls(spec: PodSpec, container: str) -> tuple[object, ...]:
    """What decides whether a container's image can be had: its name, when it is pulled, and with what login."""
    held = spec.container(container)
    pulled = (held.image, held.image_pull_policy) if held is not None else ()
    return pulled, spec.image_pull_secrets, spec.service_account_name


def _starting(diagnosis: Diagnosis, snapshot: Snapshot, workload: Workload, pod: Pod) -> str | None:
    """Why a pod that merely isn't ready yet doesn't show that its revision is bad."""
    facts = diagnosis.root.facts
    if diagnosis.root.code != "KM112" or any(facts.get(f) for f in ("expected", "was_ready", "overdue")):
        return None
    own = float(workload.spec.progress_deadline_seconds) if isinstance(workload, Deployment) else START_S
    allowed = min(own, START_S)
    since = pod.status.start_time or pod.metadata.creation_timestamp
    given = (snapshot.taken_at - since).total_seconds() if since is not None else 0.0
    return f"it may still be starting: {given:.0f} s of {allowed:.0f} s" if given < allowed else None


def _planned(diagnosis: Diagnosis, snapshot: Snapshot, found: Site, workload: Workload, stable: Before) -> Proposal:
    # Two revisions always differ in something, be it in nothing that Structs hold.
    revision = stable.revision
    change = RollBack(
        target=workload.ref,
        uid=workload.metadata.uid,
        revision=revision.ref,
        revision_uid=revision.metadata.uid,
    )
    return Proposal(
        changes=(change, *stragglers(workload, snapshot)),
        reason=f"{stable.title} {'runs well' if stable.proven else 'came before'}; the newest one doesn't work",
        confidence=min(stable.confidence, 0.6) if _seasoned(snapshot, workload) else stable.confidence,
        verify=verified(found, diagnosis, snapshot),
        requires=tuple(_cites(workload)),
        risk=Risk.HIGH if _other_privileges(found.template, revision.template) else None,
    )


def _cites(workload: Workload) -> Iterator[Cite]:
    """The controller counts the revision up whenever the template changes; images, for one that it hasn't seen yet."""
    if REVISION in workload.metadata.annotations:
        yield cite(workload, "metadata", "annotations", REVISION)
    for i, _ in enumerate(workload.spec.template.spec.containers):
        yield cite(workload, "spec", "template", "spec", "containers", i, "image")


def _seasoned(snapshot: Snapshot, workload: Workload) -> bool:
    made = snapshot.revisions(workload)[0].metadata.creation_timestamp
    return made is not None and (snapshot.taken_at - made).total_seconds() > SEASONED_S


def _other_privileges(now: PodTemplate, wanted: PodTemplate) -> bool:
    """Whether pods would run as someone else, in other security contexts, or with a volume that may be of the host."""
    volumes = [v for v in wanted.spec.volumes if v not in now.spec.volumes and not _known(v)]
    old, new = _contexts(now), _contexts(wanted)
    contexts = any(context != old.get(name, SecurityContext()) for name, context in new.items())
    return bool(volumes) or contexts or _runs_as(now) != _runs_as(wanted)


def _runs_as(template: PodTemplate) -> tuple[bool, str]:
    return template.spec.host_network, template.spec.service_account_name or "default"


def _contexts(template: PodTemplate) -> dict[str, SecurityContext]:
    held = (*template.spec.init_containers, *template.spec.containers)
    return {c.name: c.security_context or SecurityContext() for c in held}


def _known(volume: Volume) -> bool:
    return any((volume.config_map, volume.secret, volume.persistent_volume_claim))
