# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The walk over the verbs of the role vm: an account at EC2 as moto serves it, in which somebody works by hand as well."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration import moto_ec2
from tests.integration.dryrun_verbs import some
from tests.integration.dryrun_walk import Verb
from tests.integration.dryrun_worlds import FLEET, Place
from tests.integration.moto_world import REGION, TAG, Ec2, answering, tags_of

KEY = "operators"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
NAMED = {
    "vm_fleet_tag": FLEET,
    "vm_name_prefix": FLEET,
    "vm_region": REGION,
    "vm_vpc": "shop",
    "vm_subnet": "app",
    "vm_image_owners": ["amazon"],
    "vm_address": "private",
    "vm_ssh_timeout": 10,
    "vm_remove_confirm": FLEET,
}
FLEET_THERE = frozenset({"vm fleet"})


def tcp(ports: str) -> dict[str, Any]:
    return {"protocol": "tcp", "ports": ports, "sources": {"addresses": ["192.0.2.0/24", "2001:db8::/32"]}}


def fleet(chance: random.Random) -> dict[str, Any]:
    """Without vm_replace or vm_resize, and with a small vm_max_delete, some of it is refused."""
    variables: dict[str, Any] = {
        "vm_count": chance.randrange(1, 4),
        "vm_size": chance.choice(["t3.small", "t3.large"]),
        "vm_image": chance.choice(["amzn2-ami-hvm-2.0.20180810-x86_64-gp2", "amzn-ami-minimal-hvm-2018.03.0.20181129-x86_64-ebs"]),
        "vm_tags": some(chance, ["app", "team=web"]),
        "vm_firewall_inbound_rules": [tcp("22"), *some(chance, [tcp("80"), tcp("8000-9000")])],
        "vm_replace": chance.random() < 0.8,
        "vm_resize": chance.random() < 0.8,
        "vm_replace_batch": chance.randrange(1, 3),
        "vm_max_delete": chance.randrange(1, 4),
    }
    if chance.random() < 0.6:
        variables |= {"vm_ssh_key_name": KEY, "vm_ssh_public_key": PUBLIC_KEY}
    return variables


def allowed(chance: random.Random) -> dict[str, Any]:
    return {**fleet(chance), "vm_replace": True, "vm_resize": True, "vm_max_delete": 3}


VM_VERBS = [
    Verb("vm", "main", fleet, gives=FLEET_THERE),
    Verb("vm", "main", allowed, needs=FLEET_THERE),
    Verb("vm", "audit", lambda chance: {**fleet(chance), "vm_audit_fail_on": "never"}, needs=FLEET_THERE),
    Verb("vm", "remove", lambda _chance: {}, needs=FLEET_THERE, takes=FLEET_THERE),
]


class Account(Place):
    """ec2: the account. ssh_port: on which every address of its network answers."""

    def __init__(self, ec2: Ec2, work: Path, ssh_port: int) -> None:
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **NAMED, "vm_ssh_port": ssh_port}
        super().__init__("localhost", work, here, ec2.env, gather=False)
        self._ec2 = ec2

    def snapshot(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, each in self._ec2.instances().items():
            groups = sorted(group["GroupId"] for group in each["SecurityGroups"])
            found[f"instance {name}"] = (each["State"]["Name"], each["InstanceType"], each["ImageId"], tags_of(each), groups)
        for each in self._ec2.client.describe_security_groups()["SecurityGroups"]:
            found[f"group {each['GroupId']}"] = (each["GroupName"], each["IpPermissions"], each["IpPermissionsEgress"], each.get("Tags"))
        for each in self._ec2.client.describe_key_pairs()["KeyPairs"]:
            found[f"key {each['KeyName']}"] = each["KeyFingerprint"]
        return found

    def damage(self, chance: random.Random, _written: Iterable[str]) -> str:
        """What somebody does by hand in the console."""
        client, ids = self._ec2.client, [each["InstanceId"] for each in self._ec2.fleet(FLEET).values()]
        candidates: list[tuple[str, dict[str, Any]]] = [(how, {"InstanceIds": [each]}) for each in ids for how in ("stop_instances", "terminate_instances")]
        candidates += [("delete_tags", {"Resources": [each], "Tags": [{"Key": "app"}]}) for each in ids]
        candidates += [("create_tags", {"Resources": [each], "Tags": [{"Key": "by-hand", "Value": ""}]}) for each in ids]
        world = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        for each in client.describe_security_groups(Filters=[{"Name": f"tag:{TAG}", "Values": [FLEET]}])["SecurityGroups"]:
            if world["FromPort"] not in [rule.get("FromPort") for rule in each["IpPermissions"]]:
                candidates.append(("authorize_security_group_ingress", {"GroupId": each["GroupId"], "IpPermissions": [world]}))
        candidates += [("delete_key_pair", {"KeyName": each["KeyName"]}) for each in client.describe_key_pairs()["KeyPairs"]]
        if not candidates:
            return ""
        what, arguments = chance.choice(candidates)
        getattr(client, what)(**arguments)
        return f"{what} {arguments}"


@contextmanager
def account(work: Path) -> Iterator[Account]:
    """An account with neighbors that no verb may touch."""
    (work / "ec2").mkdir()
    with moto_ec2.serving() as moto, answering() as port:
        ec2 = Ec2(moto.url, work / "ec2")
        ec2.add(3)
        ec2.add(1, {"Name": f"{FLEET}-1"})
        yield Account(ec2, work, port)
