"""The configuration files of a node's programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import yaml
from testbed.node.images import PAUSE
from testbed.node.registry import LOGIN_LINE, OPEN_PORT, PRIVATE_PORT, port
from testbed.node.slot import Slot

SOCKET = "/run/containerd/containerd.sock"
"""In the box's own /run."""
PLUGINS = "/usr/lib/cni"
PODS = "10.244.0.0/22"


def write(slot: Slot, hosts: Iterable[str]) -> None:
    """Write all of them into the slot's `conf` folder. `hosts`: the registries there are."""
    folder = slot.folder / "conf"
    files = {
        "containerd.toml": containerd(slot.folder),
        "kubelet.yaml": kubelet(slot),
        "net.d/10-node.conflist": network(slot.folder),
        "registry.yaml": registry(slot, OPEN_PORT),
        "private.yaml": registry(slot, PRIVATE_PORT) + login(folder / "htpasswd"),
        "htpasswd": LOGIN_LINE,
        # The local registry is the host itself and no mirror of it: else what it hasn't got is asked of the world.
        # containerd 1.6 reads no file without a table of mirrors, be it empty.
        **{f"hosts/{h}/hosts.toml": f'server = "http://{slot.address}:{port(h)}"\n[host]\n' for h in hosts},
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def containerd(folder: Path) -> str:
    """Without restrict_oom_score_adj, runc can't start a container where CAP_SYS_RESOURCE is missing."""
    return f"""version = 2
root = "{folder}/data/containerd"
state = "/run/containerd/state"
disabled_plugins = ["io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{PLUGINS}"
    conf_dir = "{folder}/conf/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{folder}/conf/hosts"
"""


def kubelet(slot: Slot) -> str:
    """A kubelet as it's set up everywhere, except for what two small machines need.

    syncFrequency: how soon it tries again what it could not mount. evictionHard: bytes of the box's small file system.
    clusterDNS: without it each pod would get an event that DNS isn't configured.
    """
    pki = slot.folder / "plane" / "pki"
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": slot.address,
        "healthzPort": 0,
        "authentication": {"x509": {"clientCAFile": str(pki / "ca.crt")}, "anonymous": {"enabled": False}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet.key"),
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{slot.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,
        "resolvConf": "",
        "clusterDomain": "cluster.local",
        "clusterDNS": ["10.96.0.10"],
        "maxPods": 500,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "serializeImagePulls": False,
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "128Mi", "imagefs.available": "64Mi"},
        "evictionPressureTransitionPeriod": "5s",
        "nodeStatusUpdateFrequency": "5s",
        "syncFrequency": "10s",
        "volumePluginDir": str(slot.folder / "data" / "volumeplugins"),
    }
    return yaml.safe_dump(settings, sort_keys=False)


def network(folder: Path) -> str:
    """Pods reach one another and the node, and nothing else."""
    ranges = {"ranges": [[{"subnet": PODS}]], "dataDir": f"{folder}/data/cni"}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True}
    plugin = {**bridge, "ipam": {"type": "host-local", **ranges, "routes": [{"dst": "0.0.0.0/0"}]}}
    return json.dumps({"cniVersion": "0.4.0", "name": "node", "plugins": [plugin]})


def registry(slot: Slot, at: int) -> str:
    """docker-registry on the node's own address."""
    return f"""version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {slot.folder}/data/registry-{at}}}}}
http: {{addr: "{slot.address}:{at}"}}
"""


def login(passwords: Path) -> str:
    """What makes a registry give nothing to strangers."""
    return f"auth: {{htpasswd: {{realm: private.lab, path: {passwords}}}}}\n"
