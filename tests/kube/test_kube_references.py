"""References: found wherever a pod spec can name another object, with steps that lead back to the name."""

from __future__ import annotations

import msgspec

from kubemend.kube.references import Reference, references
from kubemend.model.objects import PodSpec

SPEC = {
    "serviceAccountName": "shop",
    "imagePullSecrets": [{"name": "registry"}],
    "initContainers": [
        {"name": "migrate", "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}]}
    ],
    "containers": [
        {
            "name": "web",
            "env": [
                {"name": "PLAIN", "value": "x"},
                {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "L", "valueFrom": {"configMapKeyRef": {"name": "app", "key": "level", "optional": True}}},
            ],
            "envFrom": [{"configMapRef": {"name": "app"}}, {"secretRef": {"name": "tokens", "optional": True}}],
        }
    ],
    "volumes": [
        {"name": "tmp", "emptyDir": {}},
        {"name": "conf", "configMap": {"name": "app", "items": [{"key": "a.yaml", "path": "a"}, {"key": "b.yaml"}]}},
        {"name": "tls", "secret": {"secretName": "tls", "optional": True}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}},
        {"name": "nameless", "configMap": {}},
    ],
}

FOUND = [
    Reference(
        "Secret",
        "db",
        "url",
        False,
        ("initContainers", 0, "env", 0, "valueFrom", "secretKeyRef", "name"),
        ("initContainers", 0, "env", 0, "valueFrom", "secretKeyRef", "key"),
    ),
    Reference(
        "ConfigMap",
        "app",
        "level",
        True,
        ("containers", 0, "env", 2, "valueFrom", "configMapKeyRef", "name"),
        ("containers", 0, "env", 2, "valueFrom", "configMapKeyRef", "key"),
    ),
    Reference("ConfigMap", "app", "", False, ("containers", 0, "envFrom", 0, "configMapRef", "name")),
    Reference("Secret", "tokens", "", True, ("containers", 0, "envFrom", 1, "secretRef", "name")),
    Reference(
        "ConfigMap",
        "app",
        "a.yaml",
        False,
        ("volumes", 1, "configMap", "name"),
        ("volumes", 1, "configMap", "items", 0, "key"),
    ),
    Reference(
        "ConfigMap",
        "app",
        "b.yaml",
        False,
        ("volumes", 1, "configMap", "name"),
        ("volumes", 1, "configMap", "items", 1, "key"),
    ),
    Reference("Secret", "tls", "", True, ("volumes", 2, "secret", "secretName")),
    Reference("PersistentVolumeClaim", "data-0", "", False, ("volumes", 3, "persistentVolumeClaim", "claimName")),
    Reference("Secret", "registry", "", True, ("imagePullSecrets", 0, "name")),
    Reference("ServiceAccount", "shop", "", False, ("serviceAccountName",)),
]


def test_every_reference_is_found_in_the_order_of_the_spec():
    assert list(references(msgspec.convert(SPEC, PodSpec))) == FOUND


def test_the_steps_of_each_reference_lead_to_its_name_and_key():
    for reference in references(msgspec.convert(SPEC, PodSpec)):
        assert walk(reference.steps) == reference.name
        assert reference.key_steps is None or walk(reference.key_steps) == reference.key


def walk(steps):
    value = SPEC
    for step in steps:
        value = value[step]
    return value


def test_a_bare_pod_refers_to_nothing():
    assert list(references(PodSpec())) == []
