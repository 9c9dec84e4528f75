"""Which cluster is talked to, as whom: the order of looking, pods, proxies, impersonation, expired certificates."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cluster_api import QUICK, Api, connection, kubeconfig
from cluster_certificates import made

from kubemend.cluster import connection as module
from kubemend.cluster.connection import connect, kubeconfig_of
from kubemend.cluster.errors import ConfigError
from kubemend.cluster.proxy import proxy_for


def test_an_explicit_path_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path / "env", "https://env"))
    assert connect(kubeconfig=kubeconfig(tmp_path / "given", "https://given")).server == "https://given"
    assert connect().server == "https://env"


def test_the_environment_may_list_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first, second = kubeconfig(tmp_path / "a", "https://a"), kubeconfig(tmp_path / "b", "https://b")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'absent'}:{first}:{second}")
    assert connect().server == "https://a"


def test_the_usual_file_is_in_the_home_directory(tmp_path: Path):
    usual = tmp_path / "home" / ".kube" / "config"
    usual.parent.mkdir(parents=True)
    kubeconfig(usual, "https://home")
    found = connect()
    assert (found.name, found.server, found.namespace, found.user) == ("test", "https://home", "shop", "u")
    assert list(kubeconfig_of().contexts) == ["test"]


def test_a_namespace_that_is_asked_for_wins(tmp_path: Path):
    assert connect(kubeconfig=kubeconfig(tmp_path / "c", "https://x"), namespace="other").namespace == "other"


def test_nothing_at_all_says_where_it_looked(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        connect()
    assert caught.value.code == "kubeconfig-missing"
    assert str(tmp_path) in str(caught.value.where)


def test_an_explicit_path_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        connect(kubeconfig=str(tmp_path / "absent"))
    assert caught.value.code == "kubeconfig-missing"


def test_a_pod_uses_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, text in {"token": "pod-token\n", "namespace": "ops\n", "ca.crt": made("ca").pem.decode()}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(module, "POD_SECRETS", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    found = connect()
    assert (found.name, found.server, found.namespace) == ("in-cluster", "https://[fd00::1]:443", "ops")


def test_a_context_is_not_looked_for_in_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "token").write_text("t")
    monkeypatch.setattr(module, "POD_SECRETS", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(ConfigError) as caught:
        connect(context="prod")
    assert caught.value.code == "kubeconfig-missing"


@pytest.mark.parametrize("inline", [True, False])
def test_an_expired_client_certificate_is_found_before_connecting(tmp_path: Path, inline: bool):
    pair = made("me", by=made("ca"), days=-2)
    (tmp_path / "me.crt").write_bytes(pair.pem)
    (tmp_path / "me.key").write_bytes(pair.key_pem)
    user = {"client-certificate": "me.crt", "client-key": "me.key"}
    if inline:
        user = {
            "client-certificate-data": base64.b64encode(pair.pem).decode(),
            "client-key-data": base64.b64encode(pair.key_pem).decode(),
        }
    day = datetime.now(UTC) - timedelta(days=2)
    with pytest.raises(ConfigError, match=re.escape(f"expired on {day:%Y-%m-%d}")) as caught:
        connection(tmp_path, "https://x", user)
    assert caught.value.code == "certificate-expired"
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ({"client-certificate-data": "aGVsbG8="}, "needs a client key"),
        ({"client-certificate-data": "aGVsbG8=", "client-key-data": "aGVsbG8="}, "no PEM certificate"),
        ({"auth-provider": {"name": "gcp"}}, "no longer supported"),
        ({"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}}, "speaks client"),
        (
            {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "command": "x",
                    "interactiveMode": "Always",
                }
            },
            "needs a terminal",
        ),
    ],
)
def test_a_login_that_can_not_work_is_refused_at_once(tmp_path: Path, user: dict[str, object], says: str):
    with pytest.raises(ConfigError, match=says):
        connection(tmp_path, "https://x", user)


@pytest.mark.parametrize("server", ["x", "ftp://x", "https://", "https://[x", "https://me:pass@x", "https://x:99999"])
def test_a_server_that_is_no_address_is_refused_and_not_shown(tmp_path: Path, server: str):
    with pytest.raises(ConfigError) as caught:
        connection(tmp_path, server)
    assert "pass" not in str(caught.value)


async def test_somebody_else_is_impersonated(api: Api, tmp_path: Path):
    api.on("/x", {})
    mine = connection(
        tmp_path, api, {"as": "bob", "as-groups": ["dev", "ops"], "as-uid": "7", "as-user-extra": {"a/b": ["c"]}}
    )
    assert mine.user == "bob (through u)"
    async with mine.open(QUICK) as transport:
        await transport.get("/x")
    headers = api.last.headers
    assert (headers["Impersonate-User"], headers["Impersonate-Group"]) == ("bob", "dev,ops")
    assert (headers["Impersonate-Uid"], headers["Impersonate-Extra-a%2Fb"]) == ("7", "c")
    async with replace(mine, as_user="eve", as_groups=()).open(QUICK) as transport:
        await transport.get("/x")
    assert api.last.headers["Impersonate-User"] == "eve"
    assert not {"Impersonate-Group", "Impersonate-Uid"} & api.last.headers.keys()


def test_who_is_impersonated_can_be_given(tmp_path: Path):
    found = connect(kubeconfig=kubeconfig(tmp_path / "c", "https://x"), as_user="ann", as_groups=("dev",))
    assert found.impersonation() == [("Impersonate-User", "ann"), ("Impersonate-Group", "dev")]


@pytest.mark.parametrize(
    ("server", "no_proxy", "wanted"),
    [
        ("https://k8s.example.com", "", "http://proxy:3128"),
        ("https://k8s.example.com", "example.com", None),
        ("https://k8s.example.com", ".example.com,other", None),
        ("https://badexample.com", "example.com", "http://proxy:3128"),
        ("https://10.1.2.3:6443", "10.0.0.0/8", None),
        ("https://11.1.2.3:6443", "10.0.0.0/8", "http://proxy:3128"),
        ("https://[fd00::5]:6443", "fd00::/8", None),
        ("https://k8s.example.com", "*", None),
        ("https://127.0.0.1:6443", "", None),
        ("https://localhost:6443", "", None),
    ],
)
def test_the_environment_names_a_proxy(monkeypatch: pytest.MonkeyPatch, server: str, no_proxy: str, wanted: str | None):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert proxy_for(server, "") == wanted


def test_the_kubeconfigs_proxy_wins_and_must_be_of_a_known_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://env:3128")
    assert proxy_for("https://x", "http://mine:1") == "http://mine:1"
    with pytest.raises(ConfigError, match="socks5 proxy") as caught:
        connection(tmp_path, "https://x", **{"proxy-url": "socks5://user:pass@p"})
    assert caught.value.code == "proxy-unsupported"
    assert "pass" not in str(caught.value)
