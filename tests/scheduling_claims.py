"""What the generated pods want of storage: each feature gives a pod claims, with volumes and classes of its own."""

from __future__ import annotations

from typing import Any

from scheduling_corpus import DISKS, ZONE, ZONES, Asked, Luck, Raw, World, bound, claim, claiming, volume

NO_PROVISIONER = "kubernetes.io/no-provisioner"
PROVISIONER = "lab.kubemend.dev/instant"


def _within(*zones: str) -> Raw:
    term = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": list(zones)}]}
    return {"required": {"nodeSelectorTerms": [term]}}


def _claims(asked: Asked, *objects: Raw) -> None:
    asked.storage += objects
    names = [o["metadata"]["name"] for o in objects if o["kind"] == "PersistentVolumeClaim"]
    asked.spec.setdefault("volumes", []).extend(claiming(n) for n in names)


def bound_in_reach(luck: Luck, _: World, asked: Asked) -> None:
    _claims(asked, *bound(f"{asked.name}-bound", asked.space, nodeAffinity=_within(*luck.sample(ZONES, 2))))


def bound_in_zone(luck: Luck, _: World, asked: Asked) -> None:
    """A volume that tells its zones by a label."""
    labels = luck.choice(({ZONE: "a"}, {ZONE: "b__c"}, {"failure-domain.beta.kubernetes.io/zone": "b"}))
    _claims(asked, *bound(f"{asked.name}-zoned", asked.space, labels=labels))


def _waiting(name: str, provisioner: str, **more: Any) -> Raw:
    mode = {"provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer"}
    return {"kind": "StorageClass", "metadata": {"name": name}, **mode, **more}


def _by_hand(luck: Luck, asked: Asked, count: int = 2, claims: int = 1, **fields: tuple[Any, ...]) -> list[Raw]:
    """Claims that wait for their pod, and volumes that people made, of some zones. Returns the claims.

    fields: of a volume's spec, with values of which each volume has one.
    """
    name = f"{asked.name}-hand-{luck.randrange(10**4)}"
    volumes = [
        volume(
            f"{name}-{i}",
            name,
            labels={"speed": ("fast", "slow")[i % 2]},
            nodeAffinity=_within(*luck.sample(ZONES, 2)),
            **{k: luck.choice(v) for k, v in fields.items()},
        )
        for i in range(count)
    ]
    made = [claim(f"{name}-{i}", asked.space, name, size=luck.choice(("1Gi", "2Gi"))) for i in range(claims)]
    _claims(asked, _waiting(name, NO_PROVISIONER), *volumes, *made)
    return made


def by_hand(luck: Luck, _: World, asked: Asked) -> None:
    _by_hand(luck, asked, count=1)


def by_hand_size(luck: Luck, _: World, asked: Asked) -> None:
    _by_hand(luck, asked, capacity=({"storage": "1Gi"}, {"storage": "2Gi"}, {"storage": "500Mi"}))


def by_hand_mode(luck: Luck, _: World, asked: Asked) -> None:
    _by_hand(luck, asked, volumeMode=("Filesystem", "Block", "Block"))


def by_hand_access(luck: Luck, _: World, asked: Asked) -> None:
    modes = (["ReadWriteOnce"], ["ReadWriteOnce", "ReadOnlyMany"])
    for one in _by_hand(luck, asked, accessModes=modes):
        one["spec"]["accessModes"] = ["ReadOnlyMany"]


def by_hand_chosen(luck: Luck, _: World, asked: Asked) -> None:
    for one in _by_hand(luck, asked):
        one["spec"]["selector"] = {"matchLabels": {"speed": luck.choice(("fast", "slow"))}}


def rivals(luck: Luck, _: World, asked: Asked) -> None:
    """Two claims, which can't have the same volume; the smaller has the first pick."""
    _by_hand(luck, asked, count=luck.choice((2, 3)), claims=2, capacity=({"storage": "1Gi"}, {"storage": "2Gi"}))


def provisioned(luck: Luck, _: World, asked: Asked) -> None:
    name = f"{asked.name}-made"
    term = {"matchLabelExpressions": [{"key": ZONE, "values": luck.sample(ZONES, 2)}]}
    more: Raw = {"allowedTopologies": [term]} if luck.random() < 0.7 else {}
    _claims(asked, _waiting(name, PROVISIONER, **more), claim(name, asked.space, name))


def unbound(luck: Luck, _: World, asked: Asked) -> None:
    """Claims that keep a pod off every node."""
    name = f"{asked.name}-none"
    match luck.randrange(3):
        case 0:
            asked.spec.setdefault("volumes", []).append(claiming(name))  # it isn't there
        case 1:
            _claims(asked, claim(name, asked.space, "no-such-class"))
        case 2:
            made: Raw = {"kind": "StorageClass", "metadata": {"name": name}, "provisioner": NO_PROVISIONER}
            _claims(asked, {**made, "volumeBindingMode": "Immediate"}, claim(name, asked.space, name))


def lost(_: Luck, __: World, asked: Asked) -> None:
    """A claim whose volume is no more."""
    held = claim(f"{asked.name}-lost", asked.space, "", volumeName="no-such-volume")
    held["metadata"]["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
    held["status"]["phase"] = "Lost"
    _claims(asked, held)


def promised(_: Luck, __: World, asked: Asked) -> None:
    """A claim that names a volume, which is another's."""
    name = f"{asked.name}-others"
    asked.storage += bound(name, asked.space)
    _claims(asked, claim(f"{asked.name}-promised", asked.space, "", volumeName=name))


def sole(luck: Luck, world: World, asked: Asked) -> None:
    if not asked.storage:
        asked.pod["metadata"]["namespace"] = "sched-a"
    if asked.space == "sched-a":
        asked.spec.setdefault("volumes", []).append(claiming(f"{world.name}-sole"))


def disks(luck: Luck, world: World, asked: Asked) -> None:
    """A disk that a pod has already, to write or to read."""
    held = [v for p in world.pods if p["spec"]["nodeName"] for v in p["spec"].get("volumes", ()) if v["name"] == "disk"]
    asked.spec.setdefault("volumes", []).append(luck.choice(held or [{"name": "disk", **luck.choice(DISKS)}]))


def disks_to_read(luck: Luck, _: World, asked: Asked) -> None:
    read = [d for d in DISKS for disk in d.values() if "readOnly" in disk]
    asked.spec.setdefault("volumes", []).append({"name": "read", **luck.choice(read)})
