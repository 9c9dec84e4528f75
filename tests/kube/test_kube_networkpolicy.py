"""Network policies: each rule of the API by itself, and 4 000 generated questions against a second reading."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import pytest
import yaml
from networkpolicy_second import PORTS, PROTOCOLS, generated, reaches, telling

from kubemend.kube.networkpolicy import BLOCK_OF_PODS, ON_THE_NODE, End, judge, open_ports
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import NetworkPolicy
from kubemend.model.objects.pod import ContainerPort

WORLDS, FLOWS = 400, 10

WEB = End(
    addresses=("10.0.0.1",),
    namespace="shop",
    name="web",
    labels={"app": "web"},
    namespace_labels={"team": "shop"},
    ports=(ContainerPort(8080, "http"), ContainerPort(8081, "http", protocol="UDP")),
)
DB = End(addresses=("10.0.0.2",), namespace="data", name="db", labels={"app": "db"}, namespace_labels={"team": "data"})
OUTSIDE = End(addresses=("192.0.2.7",))


def policy(text: str, namespace: str = "shop", name: str = "p") -> NetworkPolicy:
    raw = {"metadata": {"name": name, "namespace": namespace}, "spec": yaml.safe_load(text)}
    return msgspec.convert(raw, NetworkPolicy)


def end(raw, world):
    if "name" not in raw:
        return End(addresses=(raw["ip"],))
    return End(
        addresses=(raw["ip"],),
        namespace=raw["namespace"],
        name=raw["name"],
        labels=raw["labels"],
        namespace_labels=world.namespaces[raw["namespace"]],
        ports=tuple(ContainerPort(number, name, protocol=protocol) for name, protocol, number in raw["ports"]),
    )


def test_generated_policies_are_read_as_a_second_reading_reads_them(capsys):
    agreed, disagreed, closed = 0, [], 0
    for seed in range(WORLDS):
        world, raw = generated(seed)
        policies = [msgspec.convert(p, NetworkPolicy) for p in raw]
        luck = random.Random(-seed)
        for _ in range(FLOWS):
            source, target = luck.choice(world.ends()), luck.choice(world.pods)
            port, protocol = luck.choice(telling(raw, target)), luck.choice(PROTOCOLS)
            theirs = reaches(world, raw, source, target, (port, protocol))
            ours = judge(policies, end(source, world), end(target, world), port, protocol).allowed
            agreed += ours == theirs
            closed += not theirs
            if ours != theirs:
                disagreed.append((seed, source, target, port, protocol, theirs))
    with capsys.disabled():
        print(f"\nnetwork policies: {agreed} agreed, {len(disagreed)} disagreed ({closed} of them closed)")
    assert disagreed == []
    assert agreed >= 500
    assert closed > agreed // 10


@pytest.mark.parametrize("seed", range(40))
def test_the_open_ranges_hold_exactly_the_ports_that_are_open_one_by_one(seed):
    world, raw = generated(seed)
    policies = [msgspec.convert(p, NetworkPolicy) for p in raw]
    source, target = (end(p, world) for p in (world.pods[0], world.pods[1]))
    ranges = open_ports(policies, source, target)
    within = {n for first, last in ranges for n in PORTS if first <= n <= last}
    assert within == {n for n in PORTS if judge(policies, source, target, n).allowed}
    assert all(a[1] + 1 < b[0] for a, b in pairwise(ranges))


def test_without_a_policy_everything_is_open():
    verdict = judge([], DB, WEB, 80)
    assert verdict.allowed
    assert not verdict.ingress.isolated_by
    assert open_ports([], DB, WEB) == ((1, 65535),)


def test_a_policy_of_another_namespace_closes_nothing_here():
    assert judge([policy("{podSelector: {}}", "other")], DB, WEB, 80).allowed


@pytest.mark.parametrize(
    ("spec", "leaves", "enters"),
    [
        ("{podSelector: {}}", True, False),
        ("{podSelector: {}, policyTypes: [Egress]}", False, True),
        ("{podSelector: {}, egress: [{}]}", True, False),
        ("{podSelector: {}, egress: []}", True, False),
        ("{podSelector: {}, policyTypes: [Ingress, Egress]}", False, False),
        ("{podSelector: {}, policyTypes: [Ingress], egress: [{to: [{ipBlock: {cidr: 10.9.0.0/16}}]}]}", True, False),
        ("{podSelector: {matchLabels: {app: other}}}", True, True),
    ],
)
def test_policy_types_default_to_ingress_and_to_egress_only_with_egress_rules(spec, leaves, enters):
    assert judge([policy(spec)], WEB, OUTSIDE, 80).allowed is leaves
    assert judge([policy(spec)], OUTSIDE, WEB, 80).allowed is enters


def test_rules_of_all_policies_add_up_and_the_one_that_allows_is_named():
    deny = policy("{podSelector: {}}", name="deny")
    allow = policy("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{port: 80}]}]}")
    verdict = judge([deny, allow], OUTSIDE, WEB, 80)
    assert [p.name for p in verdict.ingress.isolated_by] == ["deny", "p"]
    assert [(g.policy.name, g.rule, g.peer, g.port) for g in verdict.ingress.grants] == [("p", 0, 0, 0)]
    missed = judge([deny, allow], OUTSIDE, WEB, 81)
    assert [(m.policy.name, m.rule, m.fits) for m in missed.ingress.misses] == [("p", 0, "peer")]


@pytest.mark.parametrize(
    ("peer", "port", "allowed"),
    [
        ("{podSelector: {matchLabels: {app: db}}}", 80, False),  # of this namespace only
        ("{namespaceSelector: {matchLabels: {team: data}}}", 80, True),
        ("{namespaceSelector: {matchLabels: {team: data}}, podSelector: {matchLabels: {app: db}}}", 80, True),
        ("{namespaceSelector: {matchLabels: {team: data}}, podSelector: {matchLabels: {app: x}}}", 80, False),
        ("{namespaceSelector: {}}", 80, True),
        ("{ipBlock: {cidr: 10.0.0.0/24}}", 80, True),
        ("{ipBlock: {cidr: 010.00.0.0/24}}", 80, True),  # the API server still stores this from old days
        ("{ipBlock: {cidr: 10.0.0.0/24, except: [10.0.0.2/32]}}", 80, False),
        ("{ipBlock: {cidr: 'fd00::/8'}}", 80, False),
    ],
)
def test_a_peer_is_chosen_by_namespace_by_labels_or_by_address(peer, port, allowed):
    closed = policy(f"{{podSelector: {{}}, ingress: [{{from: [{peer}]}}]}}")
    assert judge([closed], DB, WEB, port).allowed is allowed


@pytest.mark.parametrize(
    ("entry", "port", "protocol", "allowed"),
    [
        ("{port: 8080}", 8080, "TCP", True),
        ("{port: 8080}", 8080, "UDP", False),
        ("{protocol: UDP}", 9, "UDP", True),
        ("{protocol: UDP}", 9, "TCP", False),
        ("{port: 30, endPort: 40}", 40, "TCP", True),
        ("{port: 30, endPort: 40}", 41, "TCP", False),
        ("{port: http}", 8080, "TCP", True),
        ("{port: http}", 8081, "TCP", False),
        ("{port: http, protocol: UDP}", 8081, "UDP", True),
        ("{port: none}", 8080, "TCP", False),
        ("{port: 53, protocol: SCTP}", 53, "SCTP", True),
    ],
)
def test_a_port_is_meant_by_number_range_name_or_protocol_alone(entry, port, protocol, allowed):
    enters = policy(f"{{podSelector: {{}}, ingress: [{{ports: [{entry}]}}]}}")
    leaves = policy(f"{{podSelector: {{}}, policyTypes: [Egress], egress: [{{ports: [{entry}]}}]}}", "data")
    assert judge([enters], DB, WEB, port, protocol).allowed is allowed
    assert judge([leaves], DB, WEB, port, protocol).allowed is allowed


def test_a_named_port_of_a_rule_never_matches_what_is_no_pod():
    leaves = policy("{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: http}]}]}")
    assert not judge([leaves], WEB, OUTSIDE, 8080).allowed


def test_a_pod_always_reaches_itself_and_its_node_always_reaches_it():
    closed = policy("{podSelector: {}, policyTypes: [Ingress, Egress]}")
    assert judge([closed], WEB, WEB, 80).allowed
    web = End(**{**vars(WEB), "node": "n1"})
    kubelet = End(addresses=("10.1.0.1",), namespace="kube-system", name="proxy", host_network=True, node="n1")
    assert judge([closed], kubelet, web, 80).allowed
    assert not judge([closed], End(**{**vars(kubelet), "node": "n2"}), web, 80).allowed


def test_a_pod_on_its_nodes_network_is_no_pod_to_selectors_and_the_answer_says_so():
    node = End(addresses=("10.1.0.1",), namespace="shop", name="agent", labels={"app": "web"}, host_network=True)
    closed = policy("{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}")
    assert not judge([closed], node, WEB, 80).allowed
    assert judge([closed], WEB, node, 80).allowed
    assert ON_THE_NODE in judge([closed], WEB, node, 80).notes


def test_an_ip_block_that_alone_lets_a_pod_in_is_said_to_depend_on_the_plugin():
    block = "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}"
    assert BLOCK_OF_PODS in judge([policy(block)], DB, WEB, 80).notes
    assert judge([policy(block)], OUTSIDE, WEB, 80).notes == ()
    both = "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}, {namespaceSelector: {}}]}]}"
    assert judge([policy(both)], DB, WEB, 80).notes == ()


def test_a_cidr_that_is_none_is_an_error_and_not_a_closed_door():
    with pytest.raises(InvalidInput, match=r"10\.0\.0\.0/33"):
        judge([policy("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/33}}]}]}")], DB, WEB, 80)
