"""What kubectl's verbs do, and which flags those that only read know. What is in no table here is taken for a write.

Source: the reference of kubectl 1.31 to 1.35 (kubernetes.io/docs/reference/kubectl/generated).
"""

from __future__ import annotations

from types import MappingProxyType

IDENTITY = frozenset(
    {
        "as", "as-group", "as-uid", "as-user-extra", "cache-dir", "certificate-authority", "client-certificate",
        "client-key", "cluster", "context", "insecure-skip-tls-verify", "kubeconfig", "kuberc", "log-dir", "log-file",
        "password", "profile", "profile-output", "proxy-url", "server", "tls-server-name", "token", "user", "username",
    }
)  # fmt: skip
"""Flags that would make it another person, another cluster, or write a file. Nobody may give one."""

FILES = frozenset({"filename", "kustomize", "from-file", "from-env-file", "patch-file", "output-directory", "template"})
"""Flags that name a file of this machine, or hold a program."""

GLOBAL = MappingProxyType(
    {"namespace": "n", "request-timeout": "", "v": "v", "warnings-as-errors": "!", "match-server-version": "!",
     "disable-compression": "!"}
)  # fmt: skip
"""Flags that every verb takes: name → its letter; "!" before the letter when it takes no value."""

_MANY = {"selector": "l", "all-namespaces": "!A", "field-selector": "", "chunk-size": ""}
_SHOWN = {"output": "o", "no-headers": "!", "show-labels": "!", "label-columns": "L", "sort-by": ""}

READS = MappingProxyType(
    {
        "get": {
            **_MANY, **_SHOWN, "watch": "!w", "watch-only": "!", "ignore-not-found": "!", "show-kind": "!",
            "output-watch-events": "!", "show-managed-fields": "!", "server-print": "!",
            "allow-missing-template-keys": "!",
        },
        "describe": {**_MANY, "show-events": "!"},
        "logs": {
            "follow": "!f", "previous": "!p", "container": "c", "tail": "", "since": "", "since-time": "",
            "timestamps": "!", "all-containers": "!", "all-pods": "!", "prefix": "!", "limit-bytes": "",
            "selector": "l", "max-log-requests": "", "ignore-errors": "!", "pod-running-timeout": "",
        },
        "top pods": {**_MANY, "sort-by": "", "containers": "!", "no-headers": "!", "sum": "!"},
        "top nodes": {"selector": "l", "sort-by": "", "no-headers": "!", "show-capacity": "!"},
        "explain": {"recursive": "!", "api-version": "", "output": "o"},
        "events": {"for": "", "types": "", "all-namespaces": "!A", "watch": "!w", "output": "o", "no-headers": "!"},
        "api-resources": {
            "namespaced": "!", "verbs": "", "api-group": "", "output": "o", "no-headers": "!", "sort-by": "",
            "cached": "!", "categories": "",
        },
        "api-versions": {},
        "version": {"client": "!", "short": "!", "output": "o"},
        "cluster-info": {},
        "wait": {**_MANY, "for": "", "timeout": "", "all": "!", "output": "o"},
        "auth can-i": {"all-namespaces": "!A", "list": "!", "quiet": "!q", "no-headers": "!", "subresource": ""},
        "auth whoami": {"output": "o"},
        "rollout status": {"watch": "!w", "timeout": "", "revision": "", "selector": "l"},
        "rollout history": {"revision": "", "output": "o", "selector": "l"},
        "config current-context": {},
        "config get-contexts": {"output": "o", "no-headers": "!"},
        "config get-clusters": {},
        "config view": {"output": "o", "minify": "!"},
    }
)  # fmt: skip
"""Verbs that only read, with the flags they know."""

_DRY = {"dry-run": "", "field-manager": "", "output": "o", "overwrite": "!", "record": "!", "selector": "l", "all": "!",
        "show-managed-fields": "!", "local": "!", "allow-missing-template-keys": "!"}  # fmt: skip
_DELETE = {**_DRY, "grace-period": "", "force": "!", "now": "!", "cascade": "", "wait": "!", "timeout": "",
           "ignore-not-found": "!", "all-namespaces": "!A", "field-selector": "", "interactive": "!i"}  # fmt: skip

WRITES = MappingProxyType(
    {
        "scale": {**_DRY, "replicas": "", "current-replicas": "", "timeout": "", "resource-version": ""},
        "delete": _DELETE,
        "patch": {**_DRY, "patch": "p", "type": "", "subresource": ""},
        "label": {**_DRY, "list": "!", "resource-version": ""},
        "annotate": {**_DRY, "list": "!", "resource-version": ""},
        "set image": {**_DRY},
        "rollout restart": {**_DRY},
        "rollout undo": {**_DRY, "to-revision": ""},
        "rollout pause": {**_DRY},
        "rollout resume": {**_DRY},
        "cordon": {**_DRY},
        "uncordon": {**_DRY},
        "create": {**_DRY, "filename": "f"},
    }
)
"""Verbs that become a plan, with the flags they know. The rest of what writes is refused when it is asked for."""

PARENTS = frozenset({"top", "auth", "rollout", "config", "set", "certificate", "plugin"})
"""Verbs that need a second one."""
ALIASES = MappingProxyType(
    {"top pod": "top pods", "top po": "top pods", "top node": "top nodes", "top no": "top nodes", "log": "logs"}
)
