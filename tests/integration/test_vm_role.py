# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role groundcrew.ops.vm against EC2 as moto serves it: from nothing and back, among neighbors that stay."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import moto_ec2
from tests.integration.moto_ec2 import Moto
from tests.integration.moto_world import REGION, TAG, Ec2, answering, http, tags_of

REPLACEMENT = "groundcrew:replacement"
FLEET = "shop-production"  # as in inventories/ec2
KEY = "ssh-ed25519 " + base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + bytes(range(32))).decode()
SSH = {"protocol": "tcp", "ports": "22", "sources": {"addresses": ["192.0.2.0/24", "2001:db8::/32"]}}
AMONG = {"protocol": "tcp", "ports": "8000-9000", "sources": {"tags": [FLEET]}}


@pytest.fixture(scope="module")
def ssh_port() -> Iterator[int]:
    with answering() as port:
        yield port


@pytest.fixture
def moto() -> Iterator[Moto]:
    with moto_ec2.serving() as served:
        yield served


@pytest.fixture
def ec2(moto: Moto, tmp_path: Path) -> Ec2:
    """An account with 52 instances in the subnet that are not the fleet's: neither by name nor by tag alone does one belong to it."""
    account = Ec2(moto.url, tmp_path)
    account.add(45)
    for number in range(1, 4):
        account.add(1, {"Name": f"shop-{number}"})
        account.add(1, {"Name": f"shop-{number}", TAG: "another-fleet"})
    account.add(1, {"Name": "bastion", TAG: FLEET})
    return account


@pytest.fixture
def declared(ssh_port: int) -> dict[str, Any]:
    return {
        "vm_fleet_tag": FLEET,
        "vm_name_prefix": "shop",
        "vm_count": 2,
        "vm_size": "t3.small",
        "vm_image": "amzn2-ami-hvm-*",
        "vm_image_owners": ["amazon"],
        "vm_region": REGION,
        "vm_vpc": "shop",
        "vm_subnet": "app",
        "vm_tags": ["app", "team=web"],
        "vm_ssh_key_name": "operators",
        "vm_ssh_public_key": f"{KEY} ann@example.com",
        "vm_user_data": "#!/bin/sh\ntrue\n",
        "vm_firewall_inbound_rules": [SSH, AMONG],
        "vm_address": "private",
        "vm_ssh_port": ssh_port,
        "vm_ssh_timeout": 10,
        "vm_remove_confirm": FLEET,
    }


def members(ec2: Ec2) -> dict[str, dict[str, Any]]:
    found = ec2.fleet(FLEET)
    del found["bastion"]
    return found


def test_a_fleet_comes_and_goes_and_the_neighbors_stay(ec2: Ec2, declared: dict[str, Any]) -> None:
    neighbors = ec2.instances()
    made = ec2.changed("main", declared)
    assert made == [
        "Register the key pair",
        "Keep the security group as declared",
        "Create each missing instance",
    ]
    assert [(each["name"], each["status"], each["tags"]) for each in ec2.result()["instances"]] == [
        ("shop-1", "running", ["app", "team=web"]),
        ("shop-2", "running", ["app", "team=web"]),
    ]
    groups = ec2.client.describe_security_groups(Filters=[{"Name": "group-name", "Values": [FLEET]}])["SecurityGroups"]
    assert {(each["FromPort"], each["ToPort"]) for each in groups[0]["IpPermissions"]} == {(22, 22), (8000, 9000)}
    for name, instance in members(ec2).items():
        assert tags_of(instance) == {"Name": name, TAG: FLEET, "app": "", "team": "web"}
        assert instance["MetadataOptions"]["HttpTokens"] == "required"
        assert [each["GroupId"] for each in instance["SecurityGroups"]] == [groups[0]["GroupId"]]
        volume = ec2.client.describe_volumes(VolumeIds=[instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]])["Volumes"][0]
        assert (volume["Encrypted"], volume["VolumeType"], volume["Size"]) == (True, "gp3", 20)
    assert ec2.changed("main", declared, "--check") == []
    groups_of = ec2.inventory()
    assert sorted(groups_of["app"]["hosts"]) == ["shop-1", "shop-2"]
    assert "admin" in str(groups_of["_meta"]["hostvars"]["shop-1"]["ansible_user"])
    # What an operator did by hand is found.
    world = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.client.authorize_security_group_ingress(GroupId=groups[0]["GroupId"], IpPermissions=[world])
    audited = ec2.play("audit", declared)
    assert audited.returncode != 0
    assert "not declared (in): tcp 5432 0.0.0.0/0" in audited.stdout + audited.stderr
    verdicts = {(each["id"], each["subject"]): each["verdict"] for each in ec2.result()["findings"]}
    assert {verdicts["vm.count", FLEET], verdicts["vm.imds", "shop-1"], verdicts["vm.encrypted", "shop-2"], verdicts["vm.tags", "shop-2"]} == {"pass"}
    assert {verdicts["vm.unknown", FLEET], verdicts["vm.firewall_rules", FLEET], verdicts["vm.public_ports", "shop-1"]} == {"fail"}
    refused = ec2.play("remove", {**declared, "vm_remove_confirm": "no"})
    assert refused.returncode != 0
    assert "Nothing was removed" in refused.stdout + refused.stderr
    assert ec2.changed("remove", declared) == ["Terminate each instance (shop-1)", "Terminate each instance (shop-2)", "Remove the security group"]
    assert ec2.instances() == neighbors
    assert ec2.result() == {"instances": []}


@pytest.mark.slow
def test_each_change_is_what_the_dry_run_said(ec2: Ec2, declared: dict[str, Any]) -> None:
    neighbors = ec2.instances()

    def both(verb: str, state: dict[str, Any]) -> list[str]:
        before = ec2.instances()
        said = ec2.changed(verb, state, "--check")
        assert ec2.instances() == before
        assert ec2.changed(verb, state) == said
        assert ec2.changed(verb, state) == []
        assert {key: value for key, value in ec2.instances().items() if key in neighbors} == neighbors
        return said

    state = {**declared, "vm_count": 4}
    assert both("main", state) == ["Register the key pair", "Keep the security group as declared", "Create each missing instance"]
    assert list(members(ec2)) == ["shop-1", "shop-2", "shop-3", "shop-4"]
    ids = {name: each["InstanceId"] for name, each in members(ec2).items()}
    state |= {"vm_tags": ["app"], "vm_size": "t3.large", "vm_resize": True, "vm_firewall_inbound_rules": [SSH]}
    assert both("main", state) == [
        "Keep the security group as declared",
        *(f"Change each instance that differs (shop-{number}: size t3.small to t3.large, tags)" for number in range(1, 5)),
    ]
    assert {name: each["InstanceId"] for name, each in members(ec2).items()} == ids
    assert {each["InstanceType"] for each in members(ec2).values()} == {"t3.large"}
    ec2.client.create_tags(Resources=[ids["shop-4"]], Tags=[{"Key": "protect", "Value": ""}])
    state |= {"vm_count": 2, "vm_max_delete": 2}
    assert both("main", state) == ["Terminate each instance that leaves the fleet (shop-2)", "Terminate each instance that leaves the fleet (shop-3)"]
    ec2.client.delete_tags(Resources=[ids["shop-4"]], Tags=[{"Key": "protect"}])
    both("remove", state)
    assert ec2.instances() == neighbors


@pytest.mark.slow
def test_a_run_that_is_killed_between_two_launches_is_finished(moto: Moto, ec2: Ec2, declared: dict[str, Any]) -> None:
    """Each moment of a launch: test_vm_launch."""
    state = {**declared, "vm_count": 4}
    launches = 0

    def watch(moment: str, _method: str, action: str) -> None:
        nonlocal launches
        launches += (moment, action) == ("answered", "RunInstances")
        if launches == 2:
            ec2.kill()

    moto.watcher = watch
    assert ec2.play("main", state).returncode < 0
    moto.watcher = None
    assert launches == len(members(ec2)) == 2
    assert ec2.changed("main", state) == ["Create each missing instance"]
    assert list(members(ec2)) == ["shop-1", "shop-2", "shop-3", "shop-4"]
    assert len([each for each in ec2.instances().values() if tags_of(each).get(TAG) == FLEET]) == 5, "with the bastion"


@pytest.mark.slow
def test_members_are_replaced_new_before_old(ec2: Ec2, declared: dict[str, Any]) -> None:
    neighbors = ec2.instances()
    ec2.changed("main", declared)
    ids = {name: each["InstanceId"] for name, each in members(ec2).items()}
    images = ec2.client.describe_images(Filters=[{"Name": "name", "Values": ["amzn2-ami-hvm-*"]}])["Images"]
    used = members(ec2)["shop-1"]["ImageId"]
    other = next(each["ImageId"] for each in images if each["ImageId"] != used)
    state = {**declared, "vm_image": other}
    refused = ec2.play("main", state)
    assert refused.returncode != 0 and "set replace=true" in refused.stdout
    state["vm_replace"] = True
    # The new one does not answer: the old ones go on, and the next run goes on with the new one.
    with answering(http(503)) as ill:
        for health, reason in (({"port": 9}, "does not answer on port 9"), ({"port": ill, "path": "/health"}, "answered 503 for /health")):
            stopped = ec2.play("main", {**state, "vm_replace_health": {**health, "timeout": 1}})
            assert stopped.returncode != 0 and reason in stopped.stdout and "was left beside it" in stopped.stdout
    first = [each["InstanceId"] for each in ec2.instances().values() if REPLACEMENT in tags_of(each)]
    assert len(first) == 1 and set(ids.values()) < set(ec2.instances())
    said = ec2.changed("main", state, "--check")
    with answering(http(200)) as well:
        done = ec2.changed("main", {**state, "vm_replace_health": {"port": well, "path": "/health", "timeout": 10}})
    assert done == [
        "Terminate each instance that is replaced (shop-1)",
        "Create each missing instance",
        "Terminate each instance that is replaced (shop-2)",
    ]
    assert said == done
    assert {name: each["ImageId"] for name, each in members(ec2).items()} == {"shop-1": other, "shop-2": other}
    assert not set(ids.values()) & set(ec2.instances()) and members(ec2)["shop-1"]["InstanceId"] == first[0]
    assert not [each for each in ec2.instances().values() if REPLACEMENT in tags_of(each)]
    assert ec2.changed("main", state) == []
    assert {key: value for key, value in ec2.instances().items() if key in neighbors} == neighbors
    # A run that was killed right after the old one went, and a replacement that nobody wants any more.
    ec2.client.create_tags(Resources=first, Tags=[{"Key": REPLACEMENT, "Value": ""}])
    ec2.add(1, {"Name": "shop-2", TAG: FLEET, REPLACEMENT: ""})
    assert ec2.changed("main", state) == [
        "Finish each replacement that has taken its place (shop-1)",
        "Terminate each replacement that is not wanted any more (shop-2)",
    ]
    assert len(members(ec2)) == 2 and ec2.changed("main", state) == []


@pytest.mark.slow
def test_what_is_wrong_is_said_before_anything_is_done(ec2: Ec2, declared: dict[str, Any]) -> None:
    nothing = ec2.client.describe_security_groups()["SecurityGroups"]
    before = ec2.instances()
    without_key = {key: value for key, value in declared.items() if key != "vm_ssh_public_key"}
    for wrong, said in (
        ({**declared, "vm_image": "no-such-image-*"}, "No image is no-such-image-*"),
        ({**declared, "vm_subnet": "nowhere"}, "There is no subnet nowhere in VPC shop"),
        ({key: value for key, value in declared.items() if key != "vm_vpc"}, "There are 2 subnets named app"),
        (without_key, "There is no key pair operators"),
        ({**declared, "vm_firewall_inbound_rules": [{**AMONG, "sources": {"tags": ["no-fleet"]}}]}, "no security group of that name"),
    ):
        done = ec2.play("main", wrong)
        assert done.returncode != 0
        assert said in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
    ec2.add(2, {"Name": "shop-1", TAG: FLEET})
    twins = ec2.instances()
    for verb in ("main", "remove"):
        done = ec2.play(verb, declared)
        assert done.returncode != 0
        assert "There are two instances named shop-1" in done.stdout + done.stderr
    assert ec2.instances() == twins
    assert before.items() <= twins.items()
    assert ec2.client.describe_security_groups()["SecurityGroups"] == nothing
