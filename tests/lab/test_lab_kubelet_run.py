"""How containers end and start again: memory, commands, probes, deletion."""

from __future__ import annotations

import pytest
from machines import SPACE, containers, ended, gone, in_phase, is_ready, pod, running, waiting

from kubemend.lab.fields import condition, status


async def test_more_memory_than_the_limit_is_killed_and_a_higher_limit_runs():
    async with running() as lab:
        notes = {"lab.kubemend.dev/memory": "200Mi"}
        await lab.create(pod(notes=notes, resources={"limits": {"memory": "100Mi"}}))
        assert (await lab.until(ended("one", "OOMKilled")))["exitCode"] == 137
        told = await lab.until(waiting("one", "CrashLoopBackOff"))
        assert told["lastState"]["terminated"]["reason"] == "OOMKilled"
        await lab.create(pod("two", notes=notes, resources={"limits": {"memory": "300Mi"}}))
        await lab.until(is_ready("two"))
        assert lab.store.usage[SPACE, "two", "main"]["memory"] == "200Mi"


async def test_stress_is_killed_through_its_child_and_exits_with_1():
    async with running() as lab:
        args = ["--vm", "1", "--vm-bytes", "200M", "--vm-hang", "1"]
        await lab.create(pod(image="polinux/stress", args=args, resources={"limits": {"memory": "100Mi"}}))
        assert (await lab.until(ended("one", "OOMKilled")))["exitCode"] == 1
        await lab.create(pod("two", image="polinux/stress", args=args, resources={"limits": {"memory": "300Mi"}}))
        await lab.until(is_ready("two"))
        assert lab.store.usage[SPACE, "two", "main"]["memory"] == "202Mi"


async def test_a_crash_loop_counts_restarts_and_waits_longer_each_time():
    async with running() as lab:
        await lab.create(pod(image="busybox:1.36", command=["sh", "-c", "echo dying; exit 3"]))
        first = await lab.until(waiting("one", "CrashLoopBackOff"))
        assert first["state"]["waiting"]["message"].startswith(
            "back-off 10s restarting failed container=main pod=one_shop("
        )
        assert first["restartCount"] == 1
        assert first["lastState"]["terminated"]["exitCode"] == 3
        assert lab.events("one", "BackOff")[0].startswith("Back-off restarting failed container main in pod one_shop(")
        await lab.until(lambda seen: "back-off 20s" in str(containers(seen, "one")[0]["state"]))
        assert containers(lab.store, "one")[0]["restartCount"] == 2
        assert (status(lab.get("Pod", "one"))["phase"], lab.logs("one", previous=True)) == ("Running", ["dying"])


@pytest.mark.parametrize(
    ("command", "policy", "phase", "reason", "code"),
    [
        (["true"], "Never", "Succeeded", "Completed", 0),
        (["false"], "Never", "Failed", "Error", 1),
        (["sh", "-c", "sleep 1; exit 7"], "Never", "Failed", "Error", 7),
        (["echo", "hello"], "OnFailure", "Succeeded", "Completed", 0),
    ],
)
async def test_a_pod_that_isn_t_restarted_ends_with_its_container(command, policy, phase, reason, code):
    async with running() as lab:
        await lab.create(pod(image="busybox:1.36", command=command, spec={"restartPolicy": policy}))
        await lab.until(in_phase("one", phase))
        assert (await lab.until(ended("one", reason)))["exitCode"] == code
        assert condition(lab.get("Pod", "one"), "Ready")["status"] == "False"


async def test_on_failure_starts_again_what_failed():
    async with running() as lab:
        await lab.create(pod(image="busybox:1.36", command=["false"], spec={"restartPolicy": "OnFailure"}))
        assert (await lab.until(waiting("one", "CrashLoopBackOff")))["restartCount"] == 1
        assert status(lab.get("Pod", "one"))["phase"] == "Running"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("nosuch", 'exec: "nosuch": executable file not found in $PATH'),
        ("/opt/nosuch", 'exec: "/opt/nosuch": stat /opt/nosuch: no such file or directory'),
    ],
)
async def test_a_command_that_isn_t_there_can_t_be_started(command, why):
    async with running() as lab:
        await lab.create(pod(image="busybox:1.36", command=[command]))
        said = (await lab.until(waiting("one", "RunContainerError")))["state"]["waiting"]["message"]
        assert said.endswith(f"unable to start container process: error during container init: {why}")
        assert (await lab.until(ended("one", "StartError")))["exitCode"] == 128
        await lab.until(waiting("one", "CrashLoopBackOff"))


async def test_a_program_that_misses_its_setting_says_so_and_exits():
    async with running() as lab:
        await lab.create(pod(image="registry.lab/config-reader:1.0"))
        await lab.until(waiting("one", "CrashLoopBackOff"))
        assert lab.logs("one")[-1] == "fatal: environment variable CONFIG is not set"
        await lab.create(pod("two", image="registry.lab/config-reader:1.0", env=[{"name": "CONFIG", "value": "x"}]))
        await lab.until(is_ready("two"))


def http(port: int, path: str = "/healthz", **more: int) -> dict:
    return {"httpGet": {"port": port, "path": path}, "periodSeconds": 1, **more}


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        (http(8081), '/healthz": dial tcp {ip}:8081: connect: connection refused'),
        (http(8080, "/nope"), "HTTP probe failed with statuscode: 404"),
        ({"tcpSocket": {"port": 9090}, "periodSeconds": 1}, "dial tcp {ip}:9090: connect: connection refused"),
        ({"exec": {"command": ["sh", "-c", "echo not yet; exit 1"]}, "periodSeconds": 1}, "not yet"),
        ({"grpc": {"port": 9090}, "periodSeconds": 1}, 'timeout: failed to connect service "{ip}:9090" within 1s'),
    ],
)
async def test_a_readiness_probe_that_fails_leaves_the_pod_unready(probe, said):
    async with running() as lab:
        await lab.create(pod(readinessProbe=probe))
        await lab.until(in_phase("one", "Running"))
        event = await lab.event("one", "Unhealthy")
        ip = status(lab.get("Pod", "one"))["podIP"]
        assert event.startswith("Readiness probe failed: ")
        assert said.format(ip=ip) in event
        found = condition(lab.get("Pod", "one"), "Ready")
        assert (found["status"], found["reason"]) == ("False", "ContainersNotReady")
        assert found["message"] == "containers with unready status: [main]"


@pytest.mark.parametrize(
    "probe",
    [
        http(8080),
        {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
        {"exec": {"command": ["true"]}, "periodSeconds": 1},
        {"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1},
    ],
)
async def test_a_readiness_probe_that_fits_makes_the_pod_ready(probe):
    async with running() as lab:
        script = "touch /tmp/ready; httpd -f -p 8080"
        ports = [{"name": "http", "containerPort": 8080}]
        image = {"image": "busybox:1.36", "command": ["sh", "-c", script]}
        notes = {"lab.kubemend.dev/serves": "8080:/healthz,/ready"}
        await lab.create(pod(notes=notes, ports=ports, readinessProbe=probe, **image))
        await lab.until(is_ready("one"))


async def test_a_liveness_probe_that_fails_restarts_the_container():
    async with running() as lab:
        await lab.create(pod(livenessProbe=http(8080, "/wrong", failureThreshold=2)))
        told = await lab.until(lambda seen: next((s for s in containers(seen, "one") if s["restartCount"]), None))
        assert told["lastState"]["terminated"]["exitCode"] == 0
        assert lab.events("one", "Killing")[0] == "Container main failed liveness probe, will be restarted"
        assert lab.events("one", "Unhealthy")[0] == "Liveness probe failed: HTTP probe failed with statuscode: 404"
        await lab.until(waiting("one", "CrashLoopBackOff"))


async def test_a_process_that_ignores_the_request_to_end_is_killed():
    async with running() as lab:
        dead = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
        grace = {"terminationGracePeriodSeconds": 1}
        await lab.create(pod(image="busybox:1.36", command=["sleep", "3600"], livenessProbe=dead, spec=grace))
        told = await lab.until(lambda seen: next((s for s in containers(seen, "one") if s["restartCount"]), None))
        assert told["lastState"]["terminated"]["exitCode"] == 137


async def test_a_liveness_probe_that_comes_too_early_kills_a_slow_starter_and_a_startup_probe_saves_it():
    startup = "lab.kubemend.dev/startup-seconds"
    async with running() as lab:
        await lab.create(pod(notes={startup: "600"}, livenessProbe=http(8080, failureThreshold=2)))
        await lab.until(lambda seen: any(s["restartCount"] for s in containers(seen, "one")))
        assert "connect: connection refused" in lab.events("one", "Unhealthy")[0]
        probes = {"livenessProbe": http(8080, failureThreshold=2), "startupProbe": http(8080, failureThreshold=30)}
        await lab.create(pod("two", notes={startup: "5"}, **probes))
        found = await lab.until(is_ready("two"))
        assert status(found)["containerStatuses"][0]["restartCount"] == 0


async def test_a_startup_probe_that_gives_up_restarts_the_container():
    async with running() as lab:
        await lab.create(pod(startupProbe=http(9999, failureThreshold=2)))
        await lab.until(lambda seen: any(s["restartCount"] for s in containers(seen, "one")))
        assert lab.events("one", "Killing")[0] == "Container main failed startup probe, will be restarted"


async def test_an_answer_slower_than_the_timeout_is_a_failure():
    async with running() as lab:
        await lab.create(pod(notes={"lab.kubemend.dev/response-seconds": "3"}, readinessProbe=http(8080)))
        assert "context deadline exceeded" in await lab.event("one", "Unhealthy")
        await lab.create(
            pod("two", notes={"lab.kubemend.dev/response-seconds": "3"}, readinessProbe=http(8080, timeoutSeconds=5))
        )
        await lab.until(is_ready("two"))


async def test_a_probe_of_a_port_nobody_named_is_no_verdict():
    async with running() as lab:
        await lab.create(pod(readinessProbe={"httpGet": {"port": "web"}, "periodSeconds": 1}))
        said = "Readiness probe errored and resulted in unknown state: couldn't find port: web"
        assert await lab.event("one", "Unhealthy") == said


async def test_another_image_restarts_a_running_container():
    async with running() as lab:
        await lab.create(pod())
        made = await lab.until(is_ready("one"))
        only = {**made["spec"]["containers"][0], "image": "registry.lab/web:1.1"}
        await lab.patch("Pod", "one", {"spec": {"containers": [only]}})
        told = await lab.until(lambda seen: next((s for s in containers(seen, "one") if s["restartCount"]), None))
        assert told["image"] == "registry.lab/web:1.1"
        assert lab.events("one", "Killing")[0] == "Container main definition changed, will be restarted"


async def test_a_deleted_pod_ends_in_its_grace_period_and_is_gone():
    async with running() as lab:
        await lab.create(pod())
        await lab.until(is_ready("one"))
        await lab.delete("Pod", "one")
        assert lab.find("Pod", "one") is not None
        await lab.until(gone("Pod", "one"))
        assert lab.events("one", "Killing") == ["Stopping container main"]
        assert not lab.store.logs
        assert not lab.store.usage


async def test_a_pod_that_never_started_or_has_ended_can_be_deleted_too():
    async with running() as lab:
        await lab.create(pod(image="registry.lab/web:9"))
        await lab.create(pod("two", image="busybox:1.36", command=["true"], spec={"restartPolicy": "Never"}))
        await lab.until(waiting("one", "ImagePullBackOff"))
        await lab.until(in_phase("two", "Succeeded"))
        await lab.delete("Pod", "one")
        await lab.delete("Pod", "two")
        await lab.until(gone("Pod", "one"))
        await lab.until(gone("Pod", "two"))


async def test_a_status_that_somebody_else_overwrote_is_put_right():
    async with running() as lab:
        await lab.create(pod())
        before = status(await lab.until(is_ready("one")))["conditions"]
        wrong = [{**c, "status": "False"} if c["type"] == "Ready" else c for c in before]
        await lab.patch("Pod", "one", {"status": {"conditions": wrong}}, part="status")
        assert not is_ready("one")(lab.store)
        await lab.until(is_ready("one"))


async def test_a_node_that_comes_back_goes_on_with_its_pods():
    async with running() as lab:
        await lab.create(pod(), pod("two", image="busybox:1.36", command=["false"]))
        await lab.until(is_ready("one"))
        await lab.until(waiting("two", "CrashLoopBackOff"))
        before = status(lab.get("Pod", "one"))["containerStatuses"]
        count = status(lab.get("Pod", "two"))["containerStatuses"][0]["restartCount"]
        node = lab.machinery.nodes["lab-1"]
        await node.stop()
        await node.start()
        await lab.until(lambda seen: containers(seen, "two")[0]["restartCount"] > count)
        assert status(lab.get("Pod", "one"))["containerStatuses"] == before
