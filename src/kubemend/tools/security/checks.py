"""The checks of the security audit: one entry each in `CHECKS`."""

from __future__ import annotations

from collections.abc import Callable

from kubemend.kube.names import split_image
from kubemend.kube.networkpolicy import directions
from kubemend.kube.podsecurity import Level, policy_of
from kubemend.kube.powers import owns
from kubemend.kube.rbac import AUTHENTICATED
from kubemend.kube.redaction import names_secret
from kubemend.kube.selectors import matches
from kubemend.model.objects import NetworkPolicy
from kubemend.model.objects.wide import Container
from kubemend.tools.security.audit import Check, Facts, Judged
from kubemend.tools.security.rights import Rights, title, wide_open
from kubemend.tools.security.runners import Runner

SYSTEM = ("kube-system", "kube-public", "kube-node-lease")
ANYBODY = ("system:anonymous", "system:unauthenticated", AUTHENTICATED)
_BOX = ("privileged", "hostNamespaces", "hostPathVolumes", "windowsHostProcess", "procMount")
"""Pod Security checks whose failing takes a pod out of its box."""


def _runners(bad: Callable[[Runner, Facts], bool]) -> Callable[[Facts], Judged | None]:
    """A check of every template and pod outside of the cluster's own namespaces."""

    def check(facts: Facts) -> Judged:
        mine = [r for r in facts.runners if r.ref.namespace not in SYSTEM]
        return [str(r.ref) for r in mine if bad(r, facts)], len(mine)

    return check


def _violates(level: Level, only: tuple[str, ...] = (), but: tuple[str, ...] = ()) -> Callable[[Runner, Facts], bool]:
    def bad(runner: Runner, facts: Facts) -> bool:
        found = facts.violated[level][runner.ref]
        return bool(found & set(only) if only else found - set(but))

    return bad


def _hardened(runner: Runner, facts: Facts) -> bool:
    """Passes baseline and not restricted."""
    return not _violates(Level.BASELINE)(runner, facts) and _violates(Level.RESTRICTED)(runner, facts)


def _unenforced(facts: Facts) -> Judged | None:
    """Namespaces that refuse nothing."""
    if facts.namespaces is None:
        return None
    mine = [n for n in facts.namespaces if n.name not in SYSTEM and facts.namespace in (None, n.name)]
    bare = [str(n.ref) for n in mine if policy_of(n.metadata.labels).enforce.level is Level.PRIVILEGED]
    return bare, len(mine)


def _uncovered(direction: str) -> Callable[[Facts], Judged | None]:
    """Templates and pods that no network policy closes in a direction."""

    def check(facts: Facts) -> Judged | None:
        if facts.policies is None:
            return None
        closing: dict[str, list[NetworkPolicy]] = {}
        for policy in facts.policies:
            if direction in directions(policy):
                closing.setdefault(policy.namespace, []).append(policy)

        def open_(runner: Runner, _: Facts) -> bool:
            here = closing.get(runner.ref.namespace, ())
            return not any(matches(p.spec.pod_selector, runner.labels) for p in here)

        return _runners(open_)(facts)

    return check


def _containers(bad: Callable[[Container], bool]) -> Callable[[Facts], Judged | None]:
    return _runners(lambda r, _: any(bad(c) for c in r.spec.all_containers))


def _moving(container: Container) -> bool:
    image = split_image(container.image)
    return not image.digest and image.tag in ("", "latest")


def _unpinned(container: Container) -> bool:
    return not split_image(container.image).digest


def _secret_env(container: Container) -> bool:
    refs = (e.value_from for e in container.env if e.value_from is not None)
    return any(r.secret_key_ref for r in refs) or any(e.secret_ref for e in container.env_from)


def _literal_secret(container: Container) -> bool:
    literal = (e.name for e in container.env if e.value_from is None)
    return any(names_secret(n) and not n.upper().endswith(("_FILE", "_PATH")) for n in literal)


def _unlimited(container: Container) -> bool:
    return "memory" not in container.resources.limits


def _token(runner: Runner, facts: Facts) -> bool:
    """Whether its pods get a token of the namespace's default ServiceAccount."""
    spec = runner.spec
    if spec.service_account_name not in ("", "default") or spec.automount_service_account_token is False:
        return False
    mine = facts.defaults.get(runner.ref.namespace)
    return mine is None or mine.automount_service_account_token is not False


def _subjects(bad: Callable[[Rights, str], bool]) -> Callable[[Facts], Judged | None]:
    def check(facts: Facts) -> Judged | None:
        if facts.rights is None:
            return None
        names = list(facts.rights.subjects)
        return [n for n in names if bad(facts.rights, n)], len(names)

    return check


def _owner(rights: Rights, name: str) -> bool:
    return owns(rights.escalations.grants(rights.subjects[name])) is not None


def _could_own(rights: Rights, name: str) -> bool:
    path = rights.escalations.path(rights.subjects[name], name)
    return path is not None and bool(path.steps)


def _stars(rights: Rights, name: str) -> bool:
    user = rights.subjects[name]
    return not _owner(rights, name) and any(True for _ in wide_open(rights.rbac.everywhere(user)))


def _default_account(rights: Rights, name: str) -> bool:
    return name.startswith("ServiceAccount ") and name.endswith("/default")


def _anybody(facts: Facts) -> Judged | None:
    """Bindings that give something to everybody, logged in or not."""
    if facts.rights is None:
        return None
    bindings = facts.rights.bindings
    bad = [b for b in bindings if any(s.name in ANYBODY for s in b.subjects or () if s.kind != "ServiceAccount")]
    named = (f"{b.ref} ({', '.join(title(s, b.namespace) for s in b.subjects or ())})" for b in bad)
    return list(named), len(bindings)


def _plain_ingress(facts: Facts) -> Judged | None:
    if facts.ingresses is None:
        return None
    return [str(i.ref) for i in facts.ingresses if not i.spec.tls], len(facts.ingresses)


def _external_ips(facts: Facts) -> Judged | None:
    if facts.services is None:
        return None
    return [str(s.ref) for s in facts.services if s.spec.external_ips], len(facts.services)


CHECKS: tuple[Check, ...] = (
    Check("pod-out-of-its-box", "pod security", "critical", "Pods with the node's rights, namespaces or files",
          "remove privileged, host namespaces and hostPath, or keep such pods in a namespace of their own",
          _runners(_violates(Level.BASELINE, only=_BOX))),
    Check("pod-violates-baseline", "pod security", "high", "Pods that the baseline standard forbids",
          "check_pod_security_standards with level=baseline names each field",
          _runners(_violates(Level.BASELINE, but=_BOX))),
    Check("pod-not-restricted", "pod security", "low", "Pods that pass baseline and not the restricted standard",
          "set runAsNonRoot, drop ALL capabilities, allowPrivilegeEscalation: false, seccomp RuntimeDefault",
          _runners(_hardened)),
    Check("namespace-enforces-nothing", "pod security", "medium", "Namespaces in which Pod Security refuses nothing",
          "label them pod-security.kubernetes.io/enforce=baseline, after a try with warn", _unenforced),
    Check("subject-could-own-cluster", "rbac", "critical", "Subjects that could come to own the cluster",
          "break the path that analyze_rbac_permissions shows, at its cheapest step", _subjects(_could_own)),
    Check("anybody-has-rights", "rbac", "critical", "Bindings to everybody, or to people who are not logged in",
          "bind named users, groups or accounts", _anybody),
    Check("subject-owns-cluster", "rbac", "high", "Subjects that own the cluster",
          "give them only what they use: analyze_rbac_permissions shows it", _subjects(_owner)),
    Check("subject-has-wildcards", "rbac", "medium", "Subjects with a star for verbs or resources",
          "name the verbs and resources", _subjects(_stars)),
    Check("default-account-has-rights", "rbac", "medium", "Default ServiceAccounts that were given rights",
          "make an account for the workload that needs them: every other pod there has them too",
          _subjects(_default_account)),
    Check("default-token-mounted", "service accounts", "low", "Pods with the default account's token in them",
          "automountServiceAccountToken: false, or an account of its own", _runners(_token)),
    Check("ingress-uncovered", "network policies", "medium", "Pods that every other pod may talk to",
          "a NetworkPolicy that denies ingress, and one that allows what is needed", _uncovered("Ingress")),
    Check("egress-uncovered", "network policies", "low", "Pods that may talk to everything",
          "a NetworkPolicy for egress; don't forget DNS", _uncovered("Egress")),
    Check("image-tag-moves", "images", "medium", "Containers whose image has no tag or latest",
          "name a version", _containers(_moving)),
    Check("image-not-pinned", "images", "low", "Containers whose image isn't pinned by digest",
          "name the digest: image@sha256:…", _containers(_unpinned)),
    Check("secret-in-clear", "secrets", "high", "Containers with a literal value under a name like a password's",
          "move it to a Secret and refer to it", _containers(_literal_secret)),
    Check("secret-in-environment", "secrets", "low", "Containers that get Secrets as environment variables",
          "mount the Secret as a file: variables leak into logs, dumps and child processes", _containers(_secret_env)),
    Check("memory-unlimited", "resources", "low", "Containers without a memory limit",
          "set limits.memory: recommend_resource_limits", _containers(_unlimited)),
    Check("ingress-without-tls", "exposure", "medium", "Ingresses without TLS",
          "give spec.tls a certificate", _plain_ingress),
    Check("service-external-ips", "exposure", "medium", "Services with externalIPs (CVE-2020-8554)",
          "use a LoadBalancer or an Ingress", _external_ips),
)  # fmt: skip
