"""Time limits, retries and the translation of failures, against a server that misbehaves for real."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cluster_api import QUICK, Answer, Api, connection, cut, cut_inside, fails, pod, says, silent, stream, text

from kubemend.cluster import errors
from kubemend.cluster.transport import Transport


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


async def test_a_get_gives_the_body_and_sends_the_token(api: Api, transport: Transport):
    api.on("/api/v1/pods", {"a": 1})
    assert await transport.get("/api/v1/pods", [("limit", "5")]) == b'{"a": 1}'
    assert api.last.query == {"limit": "5"}
    assert api.last.headers["Authorization"] == "Bearer s3cret-token"
    assert api.last.headers["User-Agent"].startswith("kubemend/")


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (fails(401, "Unauthorized"), errors.Unauthorized),
        (fails(403, "Forbidden"), errors.Forbidden),
        (fails(404, "NotFound", name="web", kind="pods"), errors.NotFound),
        (fails(404, "NotFound", "the server could not find the requested resource"), errors.NotServed),
        (text("404 page not found", 404), errors.NotServed),
        (fails(409, "AlreadyExists"), errors.AlreadyExists),
        (fails(409, "Conflict"), errors.Conflict),
        (fails(410, "Expired"), errors.Gone),
        (fails(422, "Invalid"), errors.Invalid),
        (fails(429, "TooManyRequests"), errors.TooManyRequests),
        (fails(500, "InternalError"), errors.ServerError),
        (text("<html>bad gateway", 502), errors.ServerError),
        (fails(400, "BadRequest"), errors.Refused),
        (text("moved", 302), errors.Refused),
    ],
)
async def test_each_error_status_has_its_error(api: Api, transport: Transport, answer: Any, wanted: type):
    api.on("/x", answer)
    with pytest.raises(errors.Refused) as caught:
        await transport.get("/x")
    assert type(caught.value) is wanted
    assert caught.value.where == "GET /x"


async def test_a_get_is_tried_again_while_the_failure_may_pass(api: Api, transport: Transport):
    api.on("/x", fails(503, "ServiceUnavailable"), cut, cut_inside, says({"fine": True}))
    assert json.loads(await transport.get("/x")) == {"fine": True}


async def test_a_get_is_not_tried_for_ever(api: Api, transport: Transport):
    api.on("/x", fails(500, "InternalError"))
    with pytest.raises(errors.ServerError):
        await transport.get("/x")
    assert api.times("/x") == 1 + QUICK.retries


async def test_a_refusal_that_will_not_pass_is_not_tried_again(api: Api, transport: Transport):
    api.on("/x", fails(403, "Forbidden"))
    with pytest.raises(errors.Forbidden):
        await transport.get("/x")
    assert api.times("/x") == 1


async def test_retry_after_is_waited_for_and_a_little_longer(transport: Transport):
    busy = errors.TooManyRequests("busy", status=429, retry_after=0.04)
    pauses = [transport._pause(busy, attempt) for attempt in range(QUICK.retries)]
    assert all(p is not None and 0.04 <= p <= 0.04 + QUICK.cap for p in pauses)


async def test_a_longer_retry_after_than_we_have_patience_is_the_callers_to_wait(api: Api, transport: Transport):
    api.on("/x", fails(429, "TooManyRequests", headers={"Retry_After": "7"}))
    with pytest.raises(errors.TooManyRequests) as caught:
        await transport.get("/x")
    assert (caught.value.retry_after, api.times("/x")) == (7.0, 1)


async def test_a_slow_answer_to_a_read_times_out_and_is_not_asked_again(api: Api, transport: Transport):
    api.on("/x", silent)
    with pytest.raises(errors.TimedOut):
        await transport.get("/x", within=0.05)
    assert api.times("/x") == 1


async def test_no_server_is_unreachable(tmp_path: Path):
    async with connection(tmp_path, f"http://127.0.0.1:{free_port()}").open(QUICK) as transport:
        with pytest.raises(errors.Unreachable, match="no connection to"):
            await transport.get("/x")
        with pytest.raises(errors.Unreachable):
            await transport.send("POST", "/x", {})


async def test_a_redirect_is_not_followed_with_our_token(api: Api, transport: Transport):
    async def away(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"{api.url}/elsewhere"})

    api.on("/x", away)
    with pytest.raises(errors.Refused):
        await transport.get("/x")
    assert api.times("/elsewhere") == 0


async def test_a_body_that_is_no_status_is_cut_and_its_tokens_are_withheld(api: Api, transport: Transport):
    token = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJ4In0"
    api.on("/x", text(f"proxy says Authorization: Bearer {token} " + "bla " * 500, 400))
    with pytest.raises(errors.Refused) as caught:
        await transport.get("/x")
    assert token not in caught.value.message
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("break_", [cut, cut_inside, fails(500, "InternalError"), fails(504, "Timeout")])
@pytest.mark.parametrize("method", ["DELETE", "PATCH", "POST"])
async def test_a_write_whose_answer_is_lost_has_an_unknown_outcome_and_is_sent_once(
    api: Api, transport: Transport, method: str, break_: Any
):
    api.on("/x", break_, says({}), method=method)
    with pytest.raises(errors.OutcomeUnknown):
        await transport.send(method, "/x", {})
    assert api.times("/x") == 1


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "POST"])
async def test_a_write_that_takes_too_long_has_an_unknown_outcome(api: Api, hasty: Transport, method: str):
    api.on("/x", silent, method=method)
    with pytest.raises(errors.OutcomeUnknown, match="in time"):
        await hasty.send(method, "/x", {})
    assert api.times("/x") == 1


async def test_a_write_on_a_connection_the_server_closed_meanwhile_is_sent_once(api: Api, transport: Transport):
    api.on("/warm", {})
    api.on("/x", cut, says({}), method="DELETE")
    await transport.get("/warm")
    with pytest.raises(errors.OutcomeUnknown):
        await transport.send("DELETE", "/x", {})
    assert api.times("/x") == 1


async def test_a_request_that_changes_nothing_is_tried_again_as_a_read_is(api: Api, transport: Transport):
    api.on("/x", fails(500, "InternalError"), cut, fails(429, "TooManyRequests"), says({"ok": 1}), method="POST")
    assert await transport.send("POST", "/x", {}, changes=False) == b'{"ok": 1}'
    assert api.times("/x") == 4


@pytest.mark.parametrize(
    ("answer", "error"),
    [(fails(500, "InternalError"), errors.ServerError), (cut, errors.Unreachable), (silent, errors.TimedOut)],
)
async def test_a_request_that_changes_nothing_fails_as_a_read_does(
    api: Api, hasty: Transport, answer: Answer, error: type[Exception]
):
    api.on("/x", answer, method="POST")
    with pytest.raises(error):
        await hasty.send("POST", "/x", {}, changes=False)


async def test_a_busy_server_that_says_when_gets_the_write_again(api: Api, transport: Transport):
    api.on("/x", fails(429, "TooManyRequests", headers={"Retry_After": "0"}), says({"ok": 1}), method="PATCH")
    assert await transport.send("PATCH", "/x", {}) == b'{"ok": 1}'


@pytest.mark.parametrize("patient", [True, False])
async def test_a_busy_server_does_not_get_a_write_for_ever(api: Api, transport: Transport, patient: bool):
    api.on("/x", fails(429, "TooManyRequests", headers={"Retry_After": "0"}), method="POST")
    with pytest.raises(errors.TooManyRequests):
        await transport.send("POST", "/x", {}, patient=patient)
    assert api.times("/x") == (1 + QUICK.retries if patient else 1)


async def test_a_busy_server_that_does_not_say_when_does_not_get_the_write_again(api: Api, transport: Transport):
    api.on("/x", fails(429, "TooManyRequests"), method="POST")
    with pytest.raises(errors.TooManyRequests):
        await transport.send("POST", "/x", {})
    assert api.times("/x") == 1


async def test_a_401_renews_the_login_once_for_reads_and_writes_and_streams(api: Api, tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("old")

    async def only_new(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] == "Bearer new":
            return await says({"ok": 1})(request)
        token.write_text("new")
        return await fails(401, "Unauthorized")(request)

    for ask in ("get", "send", "stream"):
        token.write_text("old")
        api.on("/x", only_new)
        api.on("/x", only_new, method="POST")
        async with connection(tmp_path, api, {"tokenFile": str(token)}).open(QUICK) as transport:
            if ask == "get":
                assert await transport.get("/x") == b'{"ok": 1}'
            elif ask == "send":
                assert await transport.send("POST", "/x", {}) == b'{"ok": 1}'
            else:
                async with transport.stream("/x") as chunks:
                    assert b"".join([c async for c in chunks]) == b'{"ok": 1}'
    assert api.times("/x") == 6


async def test_a_401_with_no_newer_login_is_asked_once(api: Api, transport: Transport):
    api.on("/x", fails(401, "Unauthorized", "token expired"))
    with pytest.raises(errors.Unauthorized, match="token expired"):
        await transport.get("/x")
    assert api.times("/x") == 1


async def test_gzip_is_not_asked_for_on_loopback_but_understood(api: Api, transport: Transport):
    async def packed(_: web.Request) -> web.StreamResponse:
        return web.Response(body=gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip"})

    api.on("/x", packed)
    assert await transport.get("/x") == b'{"a": 1}'
    assert api.last.headers["Accept-Encoding"] == "identity"


async def test_a_remote_server_is_reached_through_the_configured_proxy_and_asked_for_gzip(api: Api, tmp_path: Path):
    api.on("/api/v1/pods", {"via": "proxy"})
    through = connection(tmp_path, "http://k8s.example.test:6443", **{"proxy-url": api.url})
    async with through.open(QUICK) as transport:
        assert await transport.get("/api/v1/pods") == b'{"via": "proxy"}'
    assert api.last.headers["Accept-Encoding"] == "gzip"
    assert api.last.headers["Host"] == "k8s.example.test:6443"


async def test_a_server_below_a_path_is_asked_there(api: Api, tmp_path: Path):
    api.on("/k8s/clusters/c-1/version", {"gitVersion": "v1"})
    async with connection(tmp_path, f"{api.url}/k8s/clusters/c-1/").open(QUICK) as transport:
        assert await transport.get("/version") == b'{"gitVersion": "v1"}'


async def test_an_escaped_name_stays_escaped(api: Api, transport: Transport):
    api.on("/x/system%3Anode%20a", {})
    assert await transport.get("/x/system%3Anode%20a") == b"{}"


async def test_a_stream_says_when_it_falls_silent_or_breaks(api: Api, hasty: Transport):
    for then, wanted in (("hold", errors.TimedOut), ("cut", errors.Unreachable)):
        api.on("/w", stream(b"one\n", then=then))
        async with hasty.stream("/w") as chunks:
            assert await anext(chunks) == b"one\n"
            with pytest.raises(wanted):
                await anext(chunks)


async def test_an_error_of_the_callers_own_inside_a_stream_stays_its_own(api: Api, transport: Transport):
    api.on("/w", stream(b"one\n", then="hold"))

    async def mine() -> None:
        async with transport.stream("/w") as chunks:
            await anext(chunks)
            raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await mine()


async def test_nothing_secret_is_logged_or_shown(
    api: Api, transport: Transport, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    caplog.set_level(logging.DEBUG)
    api.on("/x", fails(500, "InternalError"))
    with pytest.raises(errors.ServerError) as caught:
        await transport.get("/x")
    shown = f"{caught.value!r} {caught.value.__dict__} {connection(tmp_path, api, {'token': 's3cret-token'})!r}"
    assert "s3cret-token" not in shown + caplog.text


async def test_many_requests_go_side_by_side(api: Api, transport: Transport):
    api.on("/x", pod("a"))
    bodies = await asyncio.gather(*(transport.get("/x") for _ in range(20)))
    assert len(bodies) == 20
