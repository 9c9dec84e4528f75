"""Logins that change: token files, exec plugins as real programs, and OIDC against a real provider."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cluster_api import QUICK, Api, connection, entries, fails, says, serving

from kubemend.cluster import auth, plugin
from kubemend.cluster.auth import TokenFile
from kubemend.cluster.errors import LoginFailed, Unauthorized
from kubemend.cluster.kubeconfig import ClusterEntry, EnvEntry, ExecEntry, Extension
from kubemend.cluster.oidc import Oidc
from kubemend.cluster.plugin import Plugin

V1 = "client.authentication.k8s.io/v1"


async def token_of(source: auth.Credentials) -> str:
    return (await source.current()).headers["Authorization"].removeprefix("Bearer ")


async def test_a_password_goes_as_basic_auth(api: Api, tmp_path: Path):
    api.on("/x", {})
    async with connection(tmp_path, api, {"username": "me", "password": "pä:ss"}).open(QUICK) as transport:
        await transport.get("/x")
    sent = api.last.headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == "me:pä:ss"


async def test_no_login_at_all_sends_none(api: Api, tmp_path: Path):
    api.on("/x", {})
    async with connection(tmp_path, api).open(QUICK) as transport:
        await transport.get("/x")
    assert "Authorization" not in api.last.headers


async def test_a_token_file_wins_over_a_token(tmp_path: Path):
    (tmp_path / "token").write_text("from-file\n")
    source = connection(tmp_path, "https://x", {"token": "inline", "tokenFile": "token"}).credentials()
    assert await token_of(source) == "from-file"


async def test_a_rotated_token_file_is_read_again_after_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "token"
    path.write_text("one")
    source = TokenFile(path)
    assert await token_of(source) == "one"
    path.write_text("two")
    assert await token_of(source) == "one"
    monkeypatch.setattr(auth, "TOKEN_FILE_S", 0.0)
    assert await token_of(source) == "two"


async def test_a_refused_token_file_is_worth_another_try_only_if_it_changed(tmp_path: Path):
    path = tmp_path / "token"
    path.write_text("one")
    source = TokenFile(path)
    used = await source.current()
    assert not await source.refresh(used)
    path.write_text("two")
    assert await source.refresh(used)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
async def test_a_token_file_without_a_token_is_a_failed_login(tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(LoginFailed):
        await TokenFile(tmp_path / "token").current()


def program(folder: Path, body: str) -> str:
    """A shell script that counts its runs in the file `runs`."""
    path = folder / "login"
    path.write_text(f'#!/bin/sh\necho run >> "{folder}/runs"\n{body}\n')
    path.chmod(0o755)
    return str(path)


def printing(folder: Path, status: dict[str, Any] | None, version: str = V1) -> str:
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    (folder / "out.json").write_text(json.dumps(credential))
    return program(folder, f'cat "{folder}/out.json"')


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


def entry(command: str, version: str = V1, **more: Any) -> ExecEntry:
    return ExecEntry(api_version=version, command=command, **more)


@pytest.mark.parametrize("version", [V1, "client.authentication.k8s.io/v1beta1"])
async def test_a_plugin_is_run_once_as_long_as_its_token_lasts(tmp_path: Path, version: str):
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    command = printing(tmp_path, {"token": "abc", "expirationTimestamp": later}, version)
    source = Plugin(entry(command, version), ClusterEntry())
    assert [await token_of(source) for _ in range(3)] == ["abc"] * 3
    assert runs(tmp_path) == 1


async def test_a_plugin_is_run_again_when_its_token_has_expired(tmp_path: Path):
    soon = (datetime.now(UTC) + plugin.EARLY / 2).isoformat()
    source = Plugin(entry(printing(tmp_path, {"token": "abc", "expirationTimestamp": soon})), ClusterEntry())
    await source.current()
    await source.current()
    assert runs(tmp_path) == 2


async def test_a_plugin_is_run_again_when_its_token_was_refused_but_once_for_many_refusals(tmp_path: Path):
    source = Plugin(entry(printing(tmp_path, {"token": "abc"})), ClusterEntry())
    used = await source.current()
    assert all([await source.refresh(used), await source.refresh(used)])
    fresh = await source.current()
    assert await source.refresh(used)
    assert await source.current() is fresh
    assert runs(tmp_path) == 2


async def test_a_plugin_gets_its_arguments_its_environment_and_the_cluster(tmp_path: Path):
    body = f'printf "%s|%s|%s" "$1" "$REGION" "$KUBERNETES_EXEC_INFO" > "{tmp_path}/got"; cat "{tmp_path}/out.json"'
    printing(tmp_path, {"token": "abc"})
    plugged = entry(
        program(tmp_path, body),
        args=("get-token",),
        env=(EnvEntry(name="REGION", value="eu"),),
        provide_cluster_info=True,
    )
    cluster = ClusterEntry(
        server="https://x",
        tls_server_name="k",
        certificate_authority_data="Q0E=",
        extensions=(Extension(name=plugin.EXTENSION, extension={"audience": "a"}),),
    )
    await Plugin(plugged, cluster).current()
    argument, region, info = (tmp_path / "got").read_text().split("|", 2)
    assert (argument, region) == ("get-token", "eu")
    assert json.loads(info) == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            "cluster": {
                "server": "https://x",
                "tls-server-name": "k",
                "certificate-authority-data": "Q0E=",
                "config": {"audience": "a"},
            },
        },
    }


async def test_a_plugin_that_does_not_ask_is_not_told_of_the_cluster(tmp_path: Path):
    printing(tmp_path, {"token": "abc"})
    body = f'printf "%s" "$KUBERNETES_EXEC_INFO" > "{tmp_path}/got"; cat "{tmp_path}/out.json"'
    await Plugin(entry(program(tmp_path, body)), ClusterEntry(server="https://x")).current()
    assert json.loads((tmp_path / "got").read_text())["spec"] == {"interactive": False}


@pytest.mark.parametrize(
    ("body", "code", "says_"),
    [
        ("echo 'session over, see aws sso login' >&2; exit 3", "exec-failed", "session over"),
        ("echo hello", "exec-garbled", "no ExecCredential"),
        ("""echo '{"apiVersion":"v2","kind":"ExecCredential","status":{"token":"s3cret"}}'""", "exec-garbled", "v2"),
        (f"""echo '{{"apiVersion":"{V1}","kind":"ExecCredential"}}'""", "exec-garbled", "no token"),
        (f"""echo '{{"apiVersion":"{V1}","kind":"ExecCredential","status":{{}}}}'""", "exec-garbled", "no token"),
        ("echo s3cret-token-that-is-quite-long-0123456789 >&2; exit 1", "exec-failed", "withheld"),
    ],
)
async def test_a_plugin_that_gives_nothing_is_a_failed_login(tmp_path: Path, body: str, code: str, says_: str):
    with pytest.raises(LoginFailed, match=says_) as caught:
        await Plugin(entry(program(tmp_path, body)), ClusterEntry()).current()
    assert caught.value.code == code
    assert "s3cret" not in str(caught.value)


async def test_a_plugin_that_is_not_installed_says_how_to_install_it():
    with pytest.raises(LoginFailed) as caught:
        await Plugin(entry("no-such-program-here", install_hint="brew install it"), ClusterEntry()).current()
    assert (caught.value.code, caught.value.hint) == ("exec-missing", "brew install it")


async def test_a_plugin_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plugin, "LIMIT_S", 0.1)
    with pytest.raises(LoginFailed) as caught:
        await Plugin(entry(program(tmp_path, f'echo $$ > "{tmp_path}/pid"; exec sleep 60')), ClusterEntry()).current()
    assert caught.value.code == "exec-slow"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_who_waited_for_a_failing_plugin_does_not_run_it_again(tmp_path: Path):
    source = Plugin(entry(program(tmp_path, "exit 1")), ClusterEntry())
    ends = await asyncio.gather(*(source.current() for _ in range(5)), return_exceptions=True)
    assert all(isinstance(e, LoginFailed) for e in ends)
    assert runs(tmp_path) == 1
    with pytest.raises(LoginFailed):
        await source.current()
    assert runs(tmp_path) == 2


async def test_a_refused_plugin_token_is_replaced_within_the_same_request(api: Api, tmp_path: Path):
    printing(tmp_path, {"token": "abc"})
    api.on("/x", fails(401, "Unauthorized"), says({"ok": 1}))
    user = {"exec": {"apiVersion": V1, "command": program(tmp_path, f'cat "{tmp_path}/out.json"')}}
    async with connection(tmp_path, api, user).open(QUICK) as transport:
        assert await transport.get("/x") == b'{"ok": 1}'
    assert runs(tmp_path) == 2


def jwt(seconds: float, mark: str = "") -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'exp': time.time() + seconds, 'mark': mark})}.sig"


def provider(api: Api, *answers: Any) -> dict[str, str]:
    api.on("/.well-known/openid-configuration", {"issuer": api.url, "token_endpoint": f"{api.url}/token"})
    api.on("/token", *answers, method="POST")
    return {"idp-issuer-url": f"{api.url}/", "client-id": "kube", "client-secret": "cs", "refresh-token": "refresh-1"}


async def test_an_id_token_that_lasts_is_used_as_it_is():
    token = jwt(600)
    assert await token_of(Oidc({"id-token": token}, None)) == token


async def test_an_expired_id_token_is_renewed_and_kept(api: Api):
    fresh = jwt(600)
    config = provider(api, {"id_token": fresh})
    source = Oidc({**config, "id-token": jwt(-5)}, None)
    assert [await token_of(source) for _ in range(2)] == [fresh, fresh]
    assert api.times("/token") == 1
    for sent in ("grant_type=refresh_token", "refresh_token=refresh-1", "client_id=kube", "client_secret=cs"):
        assert sent in api.last.body


async def test_a_replaced_refresh_token_is_written_back_where_it_stood(api: Api, tmp_path: Path):
    old, fresh = jwt(-5), jwt(600)
    config = {**provider(api, {"id_token": fresh, "refresh_token": "refresh-2"}), "id-token": old}
    path = tmp_path / "kube"
    path.write_text(f"# my own comment\nid: {old}\nrefresh: refresh-1\n")
    path.chmod(0o640)
    await Oidc(config, path).current()
    assert path.read_text() == f"# my own comment\nid: {fresh}\nrefresh: refresh-2\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert entries(tmp_path) == ["kube"]


async def test_a_refresh_token_that_can_not_be_written_back_is_said(
    api: Api, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    source = Oidc(provider(api, {"id_token": jwt(600), "refresh_token": "refresh-2"}), tmp_path / "absent")
    await source.current()
    assert "could not be kept" in caplog.text
    assert "refresh-2" not in caplog.text


async def test_a_refused_id_token_is_renewed_if_it_can_be(api: Api):
    fresh = jwt(600, "new")
    source = Oidc({**provider(api, {"id_token": fresh}), "id-token": jwt(600)}, None)
    used = await source.current()
    assert await source.refresh(used)
    assert await token_of(source) == fresh


async def test_a_refused_id_token_without_a_refresh_token_stays_refused():
    source = Oidc({"id-token": jwt(600)}, None)
    assert not await source.refresh(await source.current())


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (fails(400, "invalid_grant"), "login-expired"),
        (fails(500, "InternalError"), "login-failed"),
        (says({"access_token": "only"}), "login-expired"),
        (says([]), "login-failed"),
    ],
)
async def test_a_provider_that_gives_no_token_is_a_failed_login(api: Api, answer: Any, code: str):
    with pytest.raises(LoginFailed) as caught:
        await Oidc(provider(api, answer), None).current()
    assert caught.value.code == code
    assert "refresh-1" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "not-a-jwt", "a.b.c", "a.!!!.c"])
async def test_without_a_refresh_token_an_expired_login_is_said(token: str):
    with pytest.raises(LoginFailed) as caught:
        await Oidc({"id-token": token, "idp-issuer-url": "https://x"}, None).current()
    assert caught.value.code == "login-expired"


async def test_an_unreachable_provider_is_a_failed_login():
    async with serving() as gone:
        url = gone.url
    with pytest.raises(LoginFailed, match="cannot be reached"):
        await Oidc({"idp-issuer-url": url, "refresh-token": "r"}, None).current()


async def test_the_oidc_provider_of_a_kubeconfig_is_used(api: Api, tmp_path: Path):
    api.on("/x", fails(401, "Unauthorized"))
    user = {"auth-provider": {"name": "oidc", "config": {"id-token": jwt(600)}}}
    async with connection(tmp_path, api, user).open(QUICK) as transport:
        with pytest.raises(Unauthorized):
            await transport.get("/x")
    assert api.last.headers["Authorization"].startswith("Bearer ey")
