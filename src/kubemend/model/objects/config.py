"""ConfigMap (its keys only), ServiceAccount, ResourceQuota, LimitRange, Namespace (core/v1)."""

from __future__ import annotations

from typing import Any, ClassVar

from kubemend.model.objects.meta import Condition, Obj, Part, Quantities
from kubemend.model.objects.pod import LocalObjectReference


class Withheld:
    """Stands where a value was: present, but not kept."""

    def __repr__(self) -> str:
        return "<withheld>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Withheld)

    def __hash__(self) -> int:
        return 0


def decode_withheld(wanted: type[Any], value: Any) -> Any:
    """msgspec `dec_hook`: drop the value of a field typed `Withheld`."""
    if wanted is Withheld:
        return Withheld()
    raise NotImplementedError(f"no decoder for {wanted}")


def encode_withheld(value: Any) -> Any:
    """msgspec `enc_hook`, the reverse."""
    if isinstance(value, Withheld):
        return repr(value)
    raise NotImplementedError(f"no encoder for {type(value)}")


class ConfigMap(Obj, frozen=True, gc=False, kw_only=True):
    """A ConfigMap's keys. Rules ask which keys exist, never what they hold."""

    plural: ClassVar[str] = "configmaps"

    data: dict[str, Withheld] = {}
    binary_data: dict[str, Withheld] = {}


class ServiceAccount(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "serviceaccounts"

    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    automount_service_account_token: bool | None = None


class QuotaSpec(Part, frozen=True, gc=False):
    hard: Quantities = {}


class QuotaStatus(Part, frozen=True, gc=False):
    hard: Quantities = {}
    used: Quantities = {}


class ResourceQuota(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "resourcequotas"

    spec: QuotaSpec = QuotaSpec()
    status: QuotaStatus = QuotaStatus()


class LimitRangeItem(Part, frozen=True, gc=False):
    type: str
    max: Quantities = {}
    min: Quantities = {}
    default: Quantities = {}
    default_request: Quantities = {}
    max_limit_request_ratio: Quantities = {}


class LimitRangeSpec(Part, frozen=True, gc=False):
    limits: tuple[LimitRangeItem, ...] = ()


class LimitRange(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "limitranges"

    spec: LimitRangeSpec = LimitRangeSpec()


class NamespaceStatus(Part, frozen=True, gc=False):
    phase: str = ""
    conditions: tuple[Condition, ...] = ()


class Namespace(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "namespaces"
    namespaced: ClassVar[bool] = False

    status: NamespaceStatus = NamespaceStatus()
