# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet of instances needs, decided from what was read."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2 import policy, rules
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.model import FLEET_KEY, REPLACEMENT_KEY, VmSpec
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.policy import Seen
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.policy import Membership

KEY = "ssh-ed25519 " + base64.b64encode(b"key").decode()
SUBNET = {"subnet_id": "subnet-1", "vpc_id": "vpc-1", "availability_zone": "a", "map_public_ip_on_launch": True}
IMAGES = [
    {"image_id": "ami-old", "creation_date": "2025-01-01", "root_device_name": "/dev/sda1"},
    {"image_id": "ami-new", "creation_date": "2026-01-01", "root_device_name": "/dev/xvda"},
]
GROUP = {"group_id": "sg-1", "group_name": "web", "vpc_id": "vpc-1", "tags": {FLEET_KEY: "web"}}
SSH = {"protocol": "tcp", "ports": "22", "sources": {"addresses": ["192.0.2.0/24"]}}


def spec(count: int | None = 2, **given: Any) -> VmSpec:
    fleet = Membership("instance", prefix="web", count=count, **{key: given.pop(key) for key in ("present", "max_delete") if key in given})
    return VmSpec(**{"tag": "web", "fleet": fleet, "size": "t3.small", "image": "debian-*", **given})


def instance(number: int, **given: Any) -> dict[str, Any]:
    name = f"web-{number}"
    return {
        "instance_id": f"i-{number}",
        "instance_type": "t3.small",
        "image_id": "ami-old",
        "vpc_id": "vpc-1",
        "subnet_id": "subnet-1",
        "state": {"name": "running"},
        "monitoring": {"state": "disabled"},
        "metadata_options": {"http_tokens": "required"},
        "security_groups": [{"group_id": "sg-1"}],
        "tags": {"Name": name, FLEET_KEY: "web"},
        **given,
    }


def seen(*instances: dict[str, Any], **given: Any) -> Seen:
    return Seen(instances, **{"images": IMAGES, "subnets": [SUBNET], **given})


def test_a_new_fleet() -> None:
    planned = policy.decide(spec(tags=("app", "team=web")), seen())
    assert planned["create"][0] == {"name": "web-1"}
    assert (planned["image"], planned["subnet"]) == ({"id": "ami-new", "root": "/dev/xvda"}, {"id": "subnet-1", "vpc_id": "vpc-1"})
    assert [(each["name"], each["id"], each["tags"]) for each in planned["instances"]] == [
        ("web-1", None, ["app", "team=web"]),
        ("web-2", None, ["app", "team=web"]),
    ]


def test_what_is_as_declared_stays() -> None:
    planned = policy.decide(spec(), seen(instance(1), instance(2)))
    assert (planned["create"], planned["change"], planned["terminate"], planned["image"]) == ([], [], [], None)


NEIGHBORS = [
    instance(7, tags={"Name": "web-7"}),
    instance(8, tags={"Name": "web-8", FLEET_KEY: "other"}),
    instance(9, tags={"Name": "bastion", FLEET_KEY: "web"}),
    instance(6, state={"name": "shutting-down"}),
    instance(5, tags=None),
]


@pytest.mark.parametrize("present", [True, False])
def test_neighbors_are_no_members(present: bool) -> None:
    planned = policy.decide(spec(1, present=present), seen(instance(1), instance(2), *NEIGHBORS))
    assert [each["name"] for each in planned["terminate"]] == (["web-2"] if present else ["web-1", "web-2"])


@pytest.mark.parametrize(
    ("given", "declared", "why"),
    [
        ({}, {"tags": ("app",)}, "tags"),
        ({"tags": {"Name": "web-1", FLEET_KEY: "web", "stray": "x"}}, {}, "tags"),
        ({}, {"size": "t3.large", "resize": True}, "size t3.small to t3.large"),
        ({"metadata_options": {"http_tokens": "optional"}}, {}, "metadata service"),
        ({"security_groups": [{"group_id": "sg-default"}]}, {"firewall": True, "inbound": (SSH,)}, "security group"),
        ({"security_groups": [{"group_id": "sg-1"}, {"group_id": "sg-2"}]}, {"firewall": True, "inbound": (SSH,)}, "security group"),
    ],
)
def test_what_is_changed_in_place(given: dict[str, Any], declared: dict[str, Any], why: str) -> None:
    [change] = policy.decide(spec(1, **declared), seen(instance(1, **given), security_groups=[GROUP]))["change"]
    assert (change["id"], change["why"], change["state"]) == ("i-1", why, "present")


REPLACED = {"image": "ami-new", "replace": True}
AS_WANTED = {"image_id": "ami-new"}
MARKED = {"Name": "web-1", FLEET_KEY: "web", REPLACEMENT_KEY: ""}


def names(found: list[dict[str, Any]]) -> list[str]:
    return [each["id"] for each in found]


def test_members_are_replaced_in_batches_and_not_changed_besides() -> None:
    planned = policy.decide(spec(3, replace_batch=2, **REPLACED), seen(instance(1), instance(2), instance(3, **AS_WANTED)))
    assert planned["replace"] == [
        [
            {"name": "web-1", "id": "i-1"},
            {"name": "web-2", "id": "i-2"},
        ]
    ]
    assert (planned["create"], planned["change"], planned["terminate"], planned["image"]["id"]) == ([], [], [], "ami-new")


@pytest.mark.parametrize(
    ("there", "declared", "discard", "settle", "replace"),
    [
        # beside the old one, as wanted: goes on
        ([instance(1), instance(9, tags=MARKED, **AS_WANTED)], REPLACED, [], [], ["i-1"]),
        # beside the old one, of another image: made anew
        ([instance(1), instance(9, tags=MARKED)], REPLACED, ["i-9"], [], ["i-1"]),
        # nobody wants it any more
        ([instance(1), instance(9, tags=MARKED, **AS_WANTED)], {"image": "ami-old"}, ["i-9"], [], []),
        # the old one is gone
        ([instance(9, tags=MARKED, **AS_WANTED)], REPLACED, [], ["i-9"], []),
        # the old one is gone, and yet another image is wanted
        ([instance(9, tags=MARKED)], REPLACED, [], ["i-9"], ["i-9"]),
    ],
    ids=["go on", "anew", "not wanted", "settle", "settle and replace"],
)
def test_what_a_killed_run_left_of_a_replacement(
    there: list[dict[str, Any]], declared: dict[str, Any], discard: list[str], settle: list[str], replace: list[str]
) -> None:
    planned = policy.decide(spec(1, **declared), seen(*there))
    assert (names(planned["discard"]), names(planned["settle"]), [each["id"] for batch in planned["replace"] for each in batch]) == (discard, settle, replace)
    assert (planned["create"], planned["change"], planned["terminate"]) == ([], [], [])


def test_with_a_member_its_replacement_leaves() -> None:
    there = seen(instance(1), instance(9, tags=MARKED))
    assert names(policy.decide(spec(0), there)["terminate"]) == ["i-1", "i-9"]
    assert names(policy.decide(spec(None, present=False), there)["terminate"]) == ["i-1", "i-9"]


def test_an_operators_protection_and_a_switched_off_member_stay_as_they_are() -> None:
    tags = {"Name": "web-1", FLEET_KEY: "web", "protect": "ann", "aws:autoscaling:groupName": "x"}
    [change] = policy.decide(spec(1, tags=("app",)), seen(instance(1, tags=tags, state={"name": "stopped"})))["change"]
    assert change["tags"] == {**tags, "app": ""}
    assert change["state"] == "stopped"


@pytest.mark.parametrize(
    ("declared", "there", "said"),
    [
        ({"size": "t3.large"}, {}, "set resize=true"),
        ({"image": "ami-new"}, {}, "web-1 has image ami-old, not ami-new"),
        ({"monitoring": True}, {}, "web-1 has monitoring False, not True"),
        ({"subnet": "app"}, {"subnets": [{**SUBNET, "vpc_id": "vpc-2"}]}, "web-1 has VPC vpc-1, not vpc-2"),
        ({"subnet": "app"}, {"subnets": []}, "There is no subnet app"),
        ({"vpc": "shop"}, {}, "There is no VPC shop"),
        ({"vpc": "shop"}, {"vpcs": [{"vpc_id": "vpc-1"}, {"vpc_id": "vpc-2"}]}, r"2 VPCs named shop \(vpc-1, vpc-2\)"),
        ({"vpc": "shop", "subnet": "app"}, {"vpcs": [{"vpc_id": "vpc-2"}]}, "There is no subnet app in VPC shop"),
        ({"vpc": "shop"}, {"vpcs": [{"vpc_id": "vpc-2"}]}, "There is no subnet in VPC shop"),
        ({"vpc": "shop"}, {"vpcs": [{"vpc_id": "vpc-2"}], "subnets": [{**SUBNET, "vpc_id": "vpc-2"}]}, "web-1 has VPC vpc-1, not vpc-2"),
        ({"subnet": "app"}, {"subnets": [SUBNET, {**SUBNET, "subnet_id": "subnet-2"}]}, "2 subnets named app"),
        ({"public_address": False}, {}, "gives every instance a public address"),
        ({"key_name": "ops"}, {}, "There is no key pair ops"),
        ({"key_name": "ops", "public_key": "nonsense"}, {}, "not an SSH public key"),
        ({"key_name": "ops", "public_key": KEY}, {"key_pairs": [{"key_name": "ops", "public_key": "ssh-rsa QUFB x"}]}, "holds another key"),
        ({"firewall": True, "inbound": (SSH,)}, {"security_groups": [{**GROUP, "tags": {}}]}, "was not made for this fleet"),
        ({"firewall": True, "inbound": ({**SSH, "sources": {"tags": ["db"]}},)}, {}, "no security group of that name"),
        ({"fleet": Membership("instance", names=("web-1", "web-3"))}, {"images": []}, r"No image is debian-\*"),
        ({"fleet": Membership("instance", names=("web-3",), max_delete=1), "size": None}, {}, "size is not given"),
    ],
)
def test_what_is_refused(declared: dict[str, Any], there: dict[str, Any], said: str) -> None:
    with pytest.raises(OpsError, match=said):
        policy.decide(spec(1, **declared), seen(instance(1), **there))


def test_a_known_key_pair_is_used_and_an_unknown_one_registered() -> None:
    assert policy.decide(spec(key_name="ops", public_key=f"{KEY} ann"), seen())["register_key"] is True
    assert policy.decide(spec(key_name="ops", public_key=KEY), seen(key_pairs=[{"key_name": "ops", "public_key": f"{KEY} bob"}]))["register_key"] is False


def test_a_subnet_of_the_vpc_that_is_named() -> None:
    elsewhere = {**SUBNET, "subnet_id": "subnet-0", "vpc_id": "vpc-2"}
    for subnet in (None, "app"):
        planned = policy.decide(spec(vpc="shop", subnet=subnet), seen(vpcs=[{"vpc_id": "vpc-1"}], subnets=[elsewhere, SUBNET]))
        assert planned["subnet"] == {"id": "subnet-1", "vpc_id": "vpc-1"}


def test_the_group_of_another_vpc_is_another_group() -> None:
    planned = policy.decide(spec(firewall=True, inbound=(SSH,)), seen(security_groups=[{**GROUP, "vpc_id": "vpc-2"}]))
    assert planned["group"] == {"name": "web", "id": None}


def test_removing_takes_the_fleets_own_group_alone() -> None:
    gone = spec(present=False)
    assert policy.decide(gone, seen(security_groups=[GROUP]))["group"] == {"name": "web", "id": "sg-1"}
    assert policy.decide(gone, seen(security_groups=[{**GROUP, "tags": {}}]))["group"] is None
    with pytest.raises(OpsError, match="2 security groups"):
        policy.decide(gone, seen(security_groups=[GROUP, {**GROUP, "group_id": "sg-2"}]))


def test_rules_there_and_back() -> None:
    said = [
        {"protocol": "icmp", "sources": {"addresses": ["0.0.0.0/0", "::/0"]}},
        {"protocol": "tcp", "ports": "0", "sources": {"tags": ["web", "db"]}},
        {"protocol": "udp", "ports": "53-54", "sources": {"addresses": ["192.0.2.7"]}},
    ]
    wanted = rules.declared(said, "sources")
    made = rules.permissions(wanted, "web", {"db": "sg-db"})
    assert {"proto": "icmpv6", "from_port": -1, "to_port": -1, "cidr_ipv6": "::/0"} in made
    assert {"proto": "tcp", "from_port": 0, "to_port": 65535, "group_name": "web"} in made
    assert {"proto": "tcp", "from_port": 0, "to_port": 65535, "group_id": "sg-db"} in made
    read = [
        {"ip_protocol": "icmp", "from_port": -1, "to_port": -1, "ip_ranges": [{"cidr_ip": "0.0.0.0/0"}]},
        {"ip_protocol": "icmpv6", "from_port": -1, "to_port": -1, "ipv6_ranges": [{"cidr_ipv6": "::/0"}]},
        {"ip_protocol": "tcp", "from_port": 0, "to_port": 65535, "user_id_group_pairs": [{"group_id": "sg-web"}, {"group_id": "sg-db"}]},
        {"ip_protocol": "udp", "from_port": 53, "to_port": 54, "ip_ranges": [{"cidr_ip": "192.0.2.7/32"}]},
    ]
    assert rules.seen(read, {"sg-web": "web", "sg-db": "db"}) == wanted
    assert rules.say(wanted) == "icmp 0.0.0.0/0, icmpv6 ::/0, tcp db, tcp web, udp 53-54 192.0.2.7/32"
    everything = [{"ip_protocol": "-1", "ip_ranges": [{"cidr_ip": "0.0.0.0/0"}], "prefix_list_ids": [{"prefix_list_id": "pl-1"}]}]
    assert rules.say(rules.seen(everything, {})) == "everything 0.0.0.0/0, everything pl-1"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"protocol": "tcp", "sources": {}}, "needs sources with addresses or tags"),
        ({"protocol": "tcp", "sources": {"droplet_ids": [1]}}, "not droplet_ids"),
        ({"protocol": "tcp", "ports": "http", "sources": {"addresses": ["192.0.2.1"]}}, "'http' of a firewall rule"),
        ({"protocol": "tcp", "ports": "1", "sources": {"addresses": ["home"]}}, "'home' in a firewall rule"),
    ],
)
def test_a_rule_that_is_none(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(OpsError, match=said):
        rules.declared([rule], "sources")
