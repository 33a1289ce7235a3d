# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launching the members of a fleet, each once, whatever becomes of the answer.

AWS shows an instance some time after it was launched, so to look before a launch is not enough after a run that was killed. A launch with a token that AWS
knows makes no second instance; here the token follows from the fleet and the name, so that another run asks with the same one. What it must not find again,
such as an instance that was terminated since, takes the next generation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core import aws
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.model import ALIVE, FLEET_KEY, REPLACEMENT_KEY, tags_of

# AWS forgets a token after a day, and nobody makes one member so often in a day.
GENERATIONS = 50
# Seconds after which an instance that was launched is listed at the latest.
SETTLE = 60.0
LOOK_EVERY = 5.0
ADVICE = {
    "UnauthorizedOperation": "Give these credentials ec2:RunInstances, ec2:DescribeInstances and ec2:CreateTags.",
    "InstanceLimitExceeded": "Ask AWS for a larger quota, or declare fewer members.",
    "VcpuLimitExceeded": "Ask AWS for a larger quota, or declare fewer members.",
    "InsufficientInstanceCapacity": "Declare another size or a subnet of another zone, or run again later: what exists by then is kept.",
}


@dataclass(frozen=True)
class Member:
    """name: also its tag Name. tags: all of them."""

    name: str
    tags: Mapping[str, str]

    def is_(self, instance: Mapping[str, Any]) -> bool:
        """Whether an instance, as AWS tells of it, is this member: also one that is to replace another is not that other."""
        tags = {each["Key"]: each["Value"] for each in instance.get("Tags") or []}
        same = all(tags.get(key) == self.tags[key] for key in (FLEET_KEY, "Name"))
        return same and (REPLACEMENT_KEY in tags) == (REPLACEMENT_KEY in self.tags) and instance["State"]["Name"] in ALIVE


def token(fleet: str, name: str, generation: int) -> str:
    """What makes a launch the same launch; AWS takes 64 characters."""
    return hashlib.sha256(f"groundcrew.ops\0{fleet}\0{name}\0{generation}".encode()).hexdigest()


class Launch:
    """An operation for ``_core.run.perform``. options: of a launch, the same for all members."""

    def __init__(self, client: Any, fleet: str, members: Sequence[Member], options: Mapping[str, Any], clock: Clock | None = None) -> None:
        self._client = client
        self._fleet = fleet
        self._members = members
        self._options = options
        self._clock = clock or Clock()
        self._listed: list[Mapping[str, Any]] = []

    def plan(self) -> Plan:
        self._listed = list(self._described([{"Name": f"tag:{FLEET_KEY}", "Values": [self._fleet]}]))
        there = {each.name for each in self._members if any(each.is_(instance) for instance in self._listed)}
        wanted = {each.name for each in self._members}
        return Plan("launch" if wanted - there else "none", {"instances": sorted(there)}, {"instances": sorted(wanted)})

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        there = (planned.before or {})["instances"]
        # A token of an instance that is listed finds what is not the member, or not any more.
        spent = {instance.get("ClientToken") for instance in self._listed}
        for member in self._members:
            if member.name not in there:
                self._launch(member, spent)
        return self.result(planned)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        before, after = (set((state or {})["instances"]) for state in (planned.before, planned.after))
        return {"launched": sorted(after - before)}

    def _launch(self, member: Member, spent: set[str | None]) -> None:
        for generation in range(GENERATIONS):
            asked = token(self._fleet, member.name, generation)
            if asked not in spent and self._is_launched(member, asked):
                return
        raise OpsError(f"{member.name} was launched {GENERATIONS} times within a day, and AWS knows all of these launches. Run again tomorrow.")

    def _is_launched(self, member: Member, asked: str) -> bool:
        """Launch an instance, or find the one that was launched with the token before; False when that is not the member (any more)."""
        try:
            with aws.explained(f"Cannot launch {member.name}", ADVICE, instance=member.name):
                made = self._client.run_instances(**self._options, **_tags(member), MinCount=1, MaxCount=1, ClientToken=asked)
        except OpsError as error:
            if error.details.get("code") == "IdempotentInstanceTerminated":
                return False
            if error.details.get("code") == "IdempotentParameterMismatch":
                return self._is_lost(member, asked)
            raise
        instance = made["Instances"][0]
        if member.is_(instance) or instance["State"]["Name"] not in ALIVE:
            return member.is_(instance)
        # It was launched before and is something else by now, which the list says; what the list does not have yet is new.
        listed = list(self._with_token(asked))
        return not listed or any(member.is_(each) for each in listed)

    def _is_lost(self, member: Member, asked: str) -> bool:
        """Whether an earlier run launched the member with other options. How it differs from what is declared now is for the next look to say."""
        deadline = self._clock.monotonic() + SETTLE
        while True:
            found = list(self._with_token(asked))
            if found or self._clock.monotonic() >= deadline:
                return any(member.is_(instance) for instance in found)
            self._clock.sleep(LOOK_EVERY)

    def _with_token(self, asked: str) -> Iterator[Mapping[str, Any]]:
        return self._described([{"Name": "client-token", "Values": [asked]}])

    def _described(self, filters: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        with aws.explained(f"Cannot look at the instances of fleet {self._fleet}", ADVICE):
            for page in self._client.get_paginator("describe_instances").paginate(Filters=filters):
                yield from (instance for reservation in page["Reservations"] for instance in reservation["Instances"])


def _tags(member: Member) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in sorted(member.tags.items())]
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")]}


def options_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """What RunInstances is asked for. What is not given is left to the image, the subnet or the account."""
    interface = {
        "DeviceIndex": 0,
        "DeleteOnTermination": True,
        "SubnetId": params["subnet"],
        "Groups": params["security_groups"],
        "AssociatePublicIpAddress": params["public_address"],
    }
    disk = {"VolumeType": "gp3", "VolumeSize": params["volume_size"], "Encrypted": True, "DeleteOnTermination": True}
    return {
        "ImageId": params["image"],
        "InstanceType": params["size"],
        "NetworkInterfaces": [{key: value for key, value in interface.items() if value not in (None, [])}],
        "BlockDeviceMappings": [{"DeviceName": params["root_device"], "Ebs": disk}],
        # Without a token that only the instance itself can get, a flaw in an application can read the credentials of its role.
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1},
        **({"KeyName": params["ssh_key_name"]} if params["ssh_key_name"] else {}),
        **({"UserData": params["user_data"]} if params["user_data"] else {}),
        **({"Monitoring": {"Enabled": params["monitoring"]}} if params["monitoring"] is not None else {}),
    }


def launch(params: Mapping[str, Any]) -> Launch:
    account = aws.Account(**{key: params[key] for key in ("endpoint_url", "region", "access_key", "secret_key", "session_token", "ca_bundle")})
    mark = {REPLACEMENT_KEY: ""} if params["replacements"] else {}
    members = [Member(name, {**tags_of(params["fleet_tag"], name, params["tags"]), **mark}) for name in params["names"]]
    return Launch(aws.client("ec2", account), params["fleet_tag"], members, options_of(params))
