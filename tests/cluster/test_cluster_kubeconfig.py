"""Kubeconfig files: merging, paths, contexts, and mistakes in them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import yaml

from kubemend.cluster.connection import connect
from kubemend.cluster.errors import ConfigError
from kubemend.cluster.kubeconfig import data_or_file, given, load

FIRST = """
current-context: one
contexts:
- {name: one, context: {cluster: c, user: u, namespace: shop}}
clusters:
- {name: c, cluster: {server: "https://first"}}
users:
- name: u
  user: {token: first-token}
"""
SECOND = """
apiVersion: v1
kind: Config
preferences: {}
current-context: two
contexts:
- {name: one, context: {cluster: other, user: other}}
- {name: two, context: {cluster: c2, user: u}}
clusters:
- {name: c, cluster: {server: "https://second"}}
- {name: c2, cluster: {server: "https://c2", certificate-authority: pki/ca.crt}}
users:
- name: u
  user: {token: second-token}
- name: plugin
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: bin/login, args: null, env: null}
- name: path
  user: {client-certificate: me.crt, client-key: /abs/me.key, tokenFile: ../token}
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_first_file_that_names_something_wins(tmp_path: Path):
    merged = load([write(tmp_path / "a", FIRST), tmp_path / "absent", write(tmp_path / "b", SECOND)])
    assert merged.current == "one"
    picked = merged.select()
    assert (picked.cluster.server, picked.user.token, picked.context.namespace) == (
        "https://first",
        "first-token",
        "shop",
    )
    assert picked.path == tmp_path / "a"
    assert merged.select("two").cluster.server == "https://c2"


def test_paths_are_relative_to_the_file_they_stand_in(tmp_path: Path):
    merged = load([write(tmp_path / "deep" / "config", SECOND)])
    deep = tmp_path / "deep"
    assert merged.clusters["c2"].certificate_authority == str(deep / "pki/ca.crt")
    user = merged.users["path"]
    assert (user.client_certificate, user.client_key) == (str(deep / "me.crt"), "/abs/me.key")
    assert user.token_file == str(deep / "../token")
    plugin = merged.users["plugin"].exec
    assert plugin is not None
    assert (plugin.command, plugin.args, plugin.env) == (str(deep / "bin/login"), (), ())


def test_a_program_on_the_path_stays_a_name(tmp_path: Path):
    merged = load([write(tmp_path / "c", SECOND.replace("bin/login", "aws"))])
    plugin = merged.users["plugin"].exec
    assert plugin is not None
    assert plugin.command == "aws"


def test_an_unknown_context_names_the_nearest(tmp_path: Path):
    with pytest.raises(ConfigError, match="no context 'on'") as caught:
        load([write(tmp_path / "c", FIRST)]).select("on")
    assert caught.value.code == "context-unknown"
    assert "'one'" in str(caught.value.hint)


def test_without_a_current_context_one_must_be_named(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        load([write(tmp_path / "c", FIRST.replace("current-context: one", ""))]).select()
    assert caught.value.code == "context-unset"
    assert "one" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("cluster: c,", "cluster: nope,", "cluster 'nope', which has no server"),
        ("user: u,", "user: nope,", "user 'nope', which is not there"),
        ('"https://first"', '""', "has no server"),
    ],
)
def test_a_context_that_leads_nowhere_is_said(tmp_path: Path, old: str, new: str, says: str):
    with pytest.raises(ConfigError, match=says):
        load([write(tmp_path / "c", FIRST.replace(old, new))]).select()


@pytest.mark.parametrize(
    "text",
    [
        "users:\n- name: u\n  user: {token: s3cret-token\n",
        "just s3cret-token",
        "- s3cret-token",
        "users: s3cret-token",
        "users: [{user: {token: s3cret-token}}]",
        "users: [{name: u, user: {token: [s3cret-token]}}]",
        "users: [{name: u, user: s3cret-token}]",
        "\x00s3cret-token",
        "",
    ],
)
def test_a_broken_kubeconfig_is_refused_without_showing_what_is_in_it(tmp_path: Path, text: str):
    with pytest.raises(ConfigError) as caught:
        load([write(tmp_path / "c", text)])
    assert caught.value.where == str(tmp_path / "c")
    assert "s3cret" not in str(caught.value)


def test_entries_show_nothing_of_themselves(tmp_path: Path):
    merged = load([write(tmp_path / "c", FIRST)])
    assert "first-token" not in repr(merged)
    assert "first-token" not in repr(merged.select())


def test_an_unreadable_kubeconfig_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load([tmp_path])


def test_data_wins_over_a_file_and_may_be_folded(tmp_path: Path):
    path = write(tmp_path / "ca", "from file")
    folded = "\n".join(base64.b64encode(b"from data " * 20).decode()[i : i + 64] for i in range(0, 300, 64))
    assert data_or_file(folded, str(path), "CA") == b"from data " * 20
    assert data_or_file("", str(path), "CA") == b"from file"
    assert data_or_file("", "", "CA") is None


def test_data_that_can_not_be_had_is_said(tmp_path: Path):
    with pytest.raises(ConfigError, match="the CA is not base64"):
        data_or_file("%%%", "", "the CA")
    with pytest.raises(ConfigError, match="the CA cannot be read"):
        data_or_file("", str(tmp_path / "absent"), "the CA")


GIVEN = """
current-context: a
contexts: [{name: a, context: {cluster: c, user: u, namespace: shop}}]
clusters: [{name: c, cluster: {server: "https://10.0.0.1:6443", certificate-authority-data: Y2E=}}]
users: [{name: u, user: {token: abc}}]
"""


@pytest.mark.parametrize(
    "text",
    [GIVEN, GIVEN.strip().replace("\n", "\\n"), json.dumps(yaml.safe_load(GIVEN))],
    ids=["plain", "escaped", "JSON"],
)
def test_a_kubeconfig_may_be_given_as_text(text: str):
    found = connect(kubeconfig=given(text))
    assert (found.name, found.server, found.namespace) == ("a", "https://10.0.0.1:6443", "shop")
    assert found.selected.user.token == "abc"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "certificate-authority-data: Y2E=",
            "certificate-authority: /etc/ssl/ca.pem",
            "cluster c: certificate-authority",
        ),
        ("token: abc", "tokenFile: /etc/shadow", "user u: tokenFile"),
        ("token: abc", "client-certificate: /a, client-key: /b", "user u: client-certificate, user u: client-key"),
        ("token: abc", "exec: {apiVersion: client.authentication.k8s.io/v1, command: sh}", "user u: exec"),
        ("token: abc", "auth-provider: {name: gcp, config: {cmd-path: /bin/sh}}", "user u: auth-provider"),
        (
            "token: abc",
            "auth-provider: {name: oidc, config: {idp-certificate-authority: /etc/shadow}}",
            "user u: auth-provider",
        ),
    ],
)
def test_a_kubeconfig_given_as_text_reads_no_file_and_runs_no_program_of_ours(old: str, new: str, says: str):
    with pytest.raises(ConfigError, match=says) as refused:
        given(GIVEN.replace(old, new))
    assert refused.value.code == "kubeconfig-unsafe"
