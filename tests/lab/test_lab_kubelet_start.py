"""What keeps a container from starting, in the kubelet's words, and that the right change starts it."""

from __future__ import annotations

import base64
import json

import pytest
from machines import SPACE, container, is_ready, plain, pod, running, waiting

from kubemend.lab.fields import condition, status
from kubemend.lab.images import CATALOGUE, PullError, full_name


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("registry.lab/web:9", "registry.lab/web:9: not found"),
        ("registry.lab/wbe:1.0", "registry.lab/wbe:1.0: not found"),
        ("nginx:1.99", "docker.io/library/nginx:1.99: not found"),
        ("ngnix", "pull access denied, repository does not exist or may require authorization"),
        ("no.such.host/web:1.0", "dial tcp: lookup no.such.host: no such host"),
        ("private.lab/app:1.0", "authorization failed: no basic auth credentials"),
    ],
)
async def test_an_image_that_can_t_be_pulled_backs_off(image, said):
    async with running() as lab:
        await lab.create(pod(image=image))
        first = (await lab.until(waiting("one", "ErrImagePull")))["state"]["waiting"]["message"]
        assert first.startswith("rpc error: code = ")
        assert f'failed to pull and unpack image "{full_name(image)}": failed to resolve reference' in first
        assert said in first
        then = (await lab.until(waiting("one", "ImagePullBackOff")))["state"]["waiting"]["message"]
        assert then == f'Back-off pulling image "{image}": ErrImagePull: {first}'
        assert status(lab.get("Pod", "one"))["phase"] == "Pending"
        told = lab.events("one")
        assert f'Failed to pull image "{image}": {first}' in told
        assert {"Error: ErrImagePull", "Error: ImagePullBackOff", f'Back-off pulling image "{image}"'} <= set(told)


async def test_a_pod_whose_image_is_put_right_doesn_t_wait_out_its_back_off():
    async with running(pace=0.1) as lab:
        await lab.create(pod(image="registry.lab/web:9"))
        await lab.until(waiting("one", "ErrImagePull"))
        only = {**lab.get("Pod", "one")["spec"]["containers"][0], "image": "registry.lab/web:1.0"}
        await lab.patch("Pod", "one", {"spec": {"containers": [only]}})
        await lab.until(is_ready("one"))
        assert not lab.events("one", "BackOff")


async def test_a_name_no_runtime_accepts_is_told_as_such():
    async with running() as lab:
        await lab.create(pod(image="Registry/Web:1.0:2"))
        said = (await lab.until(waiting("one", "InvalidImageName")))["state"]["waiting"]["message"]
        assert said.startswith('Failed to apply default image tag "Registry/Web:1.0:2": couldn\'t parse image name')
        assert "Error: InvalidImageName" in lab.events("one", "Failed")


async def test_a_pull_policy_of_never_finds_only_what_is_there():
    async with running() as lab:
        await lab.create(pod(imagePullPolicy="Never"))
        said = (await lab.until(waiting("one", "ErrImageNeverPull")))["state"]["waiting"]["message"]
        assert said == 'Container image "registry.lab/web:1.0" is not present with pull policy of Never'
        await lab.create(pod("two"))
        await lab.until(is_ready("two"))
        await lab.create(pod("three", imagePullPolicy="Never"))
        await lab.until(is_ready("three"))


def login(registry: str) -> str:
    return base64.b64encode(json.dumps({"auths": {registry: {"auth": "eDp5"}}}).encode()).decode()


@pytest.mark.parametrize("where", ["pod", "account"])
async def test_a_private_image_is_pulled_with_a_login_from(where):
    async with running() as lab:
        wanted = {"imagePullSecrets": [{"name": "login"}]}
        if where == "account":
            await lab.patch("ServiceAccount", "default", wanted)
        await lab.create(pod(image="private.lab/app:1.0", spec=wanted if where == "pod" else {}))
        await lab.until(waiting("one", "ImagePullBackOff"))
        assert lab.events("one", "FailedToRetrieveImagePullSecret")
        secret = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": login("private.lab")}}
        await lab.create(plain("Secret", "login", **secret))
        await lab.until(is_ready("one"))


async def test_a_login_for_another_registry_doesn_t_help():
    async with running() as lab:
        secret = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": login("other.lab")}}
        await lab.create(plain("Secret", "login", **secret))
        await lab.create(pod(image="private.lab/app:1.0", spec={"imagePullSecrets": [{"name": "login"}]}))
        said = (await lab.until(waiting("one", "ErrImagePull")))["state"]["waiting"]["message"]
        assert "authorization failed" in said


def source(kind: str, name: str, key: str = "") -> dict:
    ref = {"name": name, **({"key": key} if key else {})}
    if key:
        return {"env": [{"name": "CONFIG", "valueFrom": {f"{kind}KeyRef": ref}}]}
    return {"envFrom": [{f"{kind}Ref": ref}]}


@pytest.mark.parametrize(
    ("wanted", "made", "said"),
    [
        (source("configMap", "settings"), None, 'configmap "settings" not found'),
        (source("configMap", "settings", "level"), None, 'configmap "settings" not found'),
        (source("secret", "settings"), None, 'secret "settings" not found'),
        (source("secret", "settings", "level"), None, 'secret "settings" not found'),
        (source("configMap", "settings", "level"), "ConfigMap", "couldn't find key level in ConfigMap shop/settings"),
        (source("secret", "settings", "level"), "Secret", "couldn't find key level in Secret shop/settings"),
    ],
)
async def test_a_reference_that_leads_nowhere_holds_the_container_until_it_leads_somewhere(wanted, made, said):
    async with running() as lab:
        if made:
            await lab.create(plain(made, "settings"))
        await lab.create(pod(**wanted))
        found = await lab.until(waiting("one", "CreateContainerConfigError"))
        assert found["state"]["waiting"]["message"] == said
        assert f"Error: {said}" in lab.events("one", "Failed")
        kind = "Secret" if "secret" in str(wanted) else "ConfigMap"
        data = {"data": {"level": "aW5mbw=="}}
        if made:
            await lab.patch(kind, "settings", data)
        else:
            await lab.create(plain(kind, "settings", **data))
        await lab.until(is_ready("one"))


async def test_an_optional_reference_holds_nothing():
    async with running() as lab:
        ref = {"configMapKeyRef": {"name": "settings", "key": "level", "optional": True}}
        await lab.create(pod(env=[{"name": "LEVEL", "valueFrom": ref}]))
        await lab.until(is_ready("one"))


@pytest.mark.parametrize(
    ("volume", "kind", "data", "said"),
    [
        ({"configMap": {"name": "settings"}}, "ConfigMap", {"a": "b"}, 'configmap "settings" not found'),
        ({"secret": {"secretName": "settings"}}, "Secret", {"a": "Yg=="}, 'secret "settings" not found'),
    ],
)
async def test_a_volume_whose_source_is_missing_keeps_the_pod_creating(volume, kind, data, said):
    async with running() as lab:
        await lab.create(pod(spec={"volumes": [{"name": "v", **volume}]}))
        found = await lab.until(waiting("one", "ContainerCreating"))
        assert found["state"]["waiting"] == {"reason": "ContainerCreating"}
        assert await lab.event("one", "FailedMount") == f'MountVolume.SetUp failed for volume "v" : {said}'
        assert "podIP" not in status(lab.get("Pod", "one"))
        await lab.create(plain(kind, "settings", data=data))
        await lab.until(is_ready("one"))


async def test_a_key_that_a_volume_wants_and_its_source_lacks_is_named():
    async with running() as lab:
        await lab.create(plain("ConfigMap", "settings", data={"a": "b"}))
        items = [{"key": "app.yaml", "path": "app.yaml"}]
        await lab.create(pod(spec={"volumes": [{"name": "v", "configMap": {"name": "settings", "items": items}}]}))
        said = 'MountVolume.SetUp failed for volume "v" : configmap references non-existent config key: app.yaml'
        assert await lab.event("one", "FailedMount") == said


async def test_a_container_that_mustn_t_be_root_but_would_is_held():
    async with running() as lab:
        await lab.create(pod(image="nginx:1.27", securityContext={"runAsNonRoot": True}))
        found = await lab.until(waiting("one", "CreateContainerConfigError"))
        said = found["state"]["waiting"]["message"]
        assert said.startswith('container has runAsNonRoot and image will run as root (pod: "one_shop(')
        await lab.create(pod("two", image="nginx:1.27", securityContext={"runAsNonRoot": True, "runAsUser": 101}))
        await lab.until(is_ready("two"))


async def test_a_projected_volume_is_no_obstacle():
    async with running() as lab:
        token = {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
        await lab.create(pod(spec={"volumes": [token]}))
        await lab.until(is_ready("one"))


async def test_a_running_pod_tells_where_and_since_when_it_runs():
    async with running() as lab:
        await lab.create(pod())
        found = status(await lab.until(is_ready("one")))
        assert found["phase"] == "Running"
        assert found["podIPs"] == [{"ip": found["podIP"]}]
        assert found["hostIP"] == "10.0.0.2"
        assert found["startTime"]
        only = found["containerStatuses"][0]
        assert only["containerID"].startswith("containerd://")
        assert only["imageID"].startswith("registry.lab/web@sha256:")
        assert (only["ready"], only["started"], only["restartCount"], only["lastState"]) == (True, True, 0, {})
        states = {c["type"]: c["status"] for c in found["conditions"]}
        assert set(states.values()) == {"True"}
        assert {"Initialized", "Ready", "ContainersReady", "PodScheduled", "PodReadyToStartContainers"} == set(states)
        assert lab.events("one", "Started") == ["Started container main"]
        assert lab.logs("one") == ["listening on :8080"]
        assert lab.store.usage[SPACE, "one", "main"] == {"cpu": "1m", "memory": "24Mi"}


async def test_what_goes_wrong_with_one_pod_stops_no_other(caplog):
    async with running() as lab:
        await lab.create(pod(notes={"lab.kubemend.dev/memory": "much"}))
        await lab.create(pod("two"))
        await lab.until(is_ready("two"))
        assert "pod shop/one went wrong" in caplog.text


async def test_init_containers_run_in_order_before_the_others():
    async with running() as lab:
        first = {**container("busybox:1.36", command=["sh", "-c", "echo first"]), "name": "first"}
        second = {**container("busybox:1.36", command=["sh", "-c", "echo second; exit 2"]), "name": "second"}
        await lab.create(pod(init=[first, second]))
        found = await lab.until(waiting("one", "CrashLoopBackOff"))
        assert found["name"] == "second"
        told = status(lab.get("Pod", "one"))
        assert told["phase"] == "Pending"
        assert told["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
        assert condition(lab.get("Pod", "one"), "Initialized")["message"] == (
            "containers with incomplete status: [second]"
        )
        assert (lab.logs("one", "first"), lab.logs("one", "second")[-1:]) == (["first"], ["second"])


async def test_a_sidecar_runs_beside_the_container_and_ends_after_it():
    async with running() as lab:
        sidecar = {**container("registry.lab/worker:1.0"), "name": "side", "restartPolicy": "Always"}
        main = {"image": "busybox:1.36", "command": ["sleep", "1"], "spec": {"restartPolicy": "Never"}}
        await lab.create(pod(init=[sidecar], **main))
        await lab.until(lambda seen: (p := seen.find("Pod", SPACE, "one")) and status(p).get("phase") == "Running")
        await lab.until(lambda seen: status(seen.find("Pod", SPACE, "one"))["phase"] == "Succeeded")
        await lab.until(
            lambda seen: "terminated" in status(seen.find("Pod", SPACE, "one"))["initContainerStatuses"][0]["state"]
        )


def test_an_image_can_be_named_by_its_digest():
    digest = CATALOGUE.pull("registry.lab/web:1.0").digest
    assert CATALOGUE.pull(f"registry.lab/web@{digest}").name == "registry.lab/web:1.0"
    with pytest.raises(PullError):
        CATALOGUE.pull("registry.lab/web@sha256:" + "0" * 64)
