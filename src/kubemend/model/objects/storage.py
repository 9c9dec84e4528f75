"""PersistentVolumeClaim, PersistentVolume (core/v1), StorageClass (storage.k8s.io/v1)."""

from __future__ import annotations

from typing import ClassVar

from kubemend.model.objects.meta import Condition, LabelSelector, Obj, Part, Quantities
from kubemend.model.objects.pod import NodeSelector


class VolumeResources(Part, frozen=True, gc=False):
    requests: Quantities = {}


class ClaimSpec(Part, frozen=True, gc=False):
    access_modes: tuple[str, ...] = ()
    resources: VolumeResources = VolumeResources()
    storage_class_name: str | None = None
    volume_name: str = ""
    volume_mode: str = ""
    selector: LabelSelector | None = None
    volume_attributes_class_name: str | None = None


class ClaimStatus(Part, frozen=True, gc=False):
    phase: str = ""
    capacity: Quantities = {}
    conditions: tuple[Condition, ...] = ()


class PersistentVolumeClaim(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "persistentvolumeclaims"

    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()

    @property
    def is_sole(self) -> bool:
        """Whether it is for one pod alone, wherever that runs."""
        return "ReadWriteOncePod" in self.spec.access_modes


class ClaimRef(Part, frozen=True, gc=False):
    namespace: str = ""
    name: str = ""
    uid: str = ""


class VolumeNodeAffinity(Part, frozen=True, gc=False):
    required: NodeSelector | None = None


class VolumeSpec(Part, frozen=True, gc=False):
    storage_class_name: str = ""
    capacity: Quantities = {}
    access_modes: tuple[str, ...] = ()
    claim_ref: ClaimRef | None = None
    persistent_volume_reclaim_policy: str = ""
    node_affinity: VolumeNodeAffinity | None = None
    volume_mode: str = ""
    volume_attributes_class_name: str | None = None


class VolumeStatus(Part, frozen=True, gc=False):
    phase: str = ""


class PersistentVolume(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "persistentvolumes"
    namespaced: ClassVar[bool] = False

    spec: VolumeSpec = VolumeSpec()
    status: VolumeStatus = VolumeStatus()


class TopologyRequirement(Part, frozen=True, gc=False):
    key: str
    values: tuple[str, ...] = ()


class TopologyTerm(Part, frozen=True, gc=False):
    match_label_expressions: tuple[TopologyRequirement, ...] = ()


class StorageClass(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "storageclasses"
    group: ClassVar[str] = "storage.k8s.io"
    namespaced: ClassVar[bool] = False

    provisioner: str = ""
    volume_binding_mode: str = "Immediate"
    allow_volume_expansion: bool = False
    allowed_topologies: tuple[TopologyTerm, ...] = ()

    @property
    def is_default(self) -> bool:
        """Marked with the annotation `storageclass.kubernetes.io/is-default-class`."""
        return self.metadata.annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
