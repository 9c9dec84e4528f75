"""Who else owns an object: GitOps, Helm, operators. What they own is not patched behind their back.

Sources: Argo CD resource tracking, Flux's owner labels, Helm's release annotations, `app.kubernetes.io/managed-by`.
"""

from __future__ import annotations

from typing import Any

BUILT_IN_GROUPS = frozenset({"", "apps", "batch", "policy", "autoscaling", "v1"})

_LABELS = {
    "kustomize.toolkit.fluxcd.io/name": "Flux Kustomization",
    "helm.toolkit.fluxcd.io/name": "Flux HelmRelease",
    "argocd.argoproj.io/instance": "Argo CD application",
}
_ANNOTATIONS = {
    "argocd.argoproj.io/tracking-id": "Argo CD application",
    "meta.helm.sh/release-name": "Helm release",
}


def owner_of(obj: dict[str, Any]) -> str | None:
    """Who would revert a change to this object, in words; None when nobody is known to."""
    metadata = obj.get("metadata", {})
    for marks, found in ((_LABELS, metadata.get("labels") or {}), (_ANNOTATIONS, metadata.get("annotations") or {})):
        for key, what in marks.items():
            if key in found:
                return f"{what} {str(found[key]).partition(':')[0]}"
    if (manager := (metadata.get("labels") or {}).get("app.kubernetes.io/managed-by")) in ("Helm", "argocd", "flux"):
        return str(manager)
    for owner in metadata.get("ownerReferences") or ():
        group = owner.get("apiVersion", "").rpartition("/")[0]
        if owner.get("controller") and group not in BUILT_IN_GROUPS:
            return f"{owner['kind']} {owner['name']} ({owner['apiVersion']})"
    return None
