# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members are launched once, with a token that follows from fleet and name; what has the token already is recognized or passed over."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2 import launch
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.launch import Launch, Member, token
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.model import REPLACEMENT_KEY, tags_of

FIRST, SECOND = token("web", "web-1", 0), token("web", "web-1", 1)


class Time:
    """Passes when somebody sleeps."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


class Aws:
    """What AWS does with a launch, as its manual says. ``listed``: whether instances show yet."""

    def __init__(self, *instances: Mapping[str, Any], listed: bool = True) -> None:
        self.instances = list(instances)
        self.listed = listed
        self.asked: list[str] = []

    def run_instances(self, **options: Any) -> dict[str, Any]:
        self.asked.append(options["ClientToken"])
        for each in self.instances:
            if each["ClientToken"] == options["ClientToken"]:
                if each["State"]["Name"] == "terminated":
                    raise refused("IdempotentInstanceTerminated")
                if each.get("ImageId", "ami-1") != options["ImageId"]:
                    raise refused("IdempotentParameterMismatch")
                return {"Instances": [each]}
        tags = {each["Key"]: each["Value"] for each in options["TagSpecifications"][0]["Tags"]}
        self.instances.append(instance(options["ClientToken"], tags, "pending"))
        return {"Instances": [self.instances[-1]]}

    def get_paginator(self, _name: str) -> Aws:
        return self

    def paginate(self, Filters: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        [chosen] = Filters
        found = [each for each in self.instances if chosen["Name"] != "client-token" or each["ClientToken"] in chosen["Values"]]
        return [{"Reservations": [{"Instances": [each]} for each in found if self.listed]}]


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "by script"}}, "RunInstances")


def instance(client_token: str, tags: Mapping[str, str], state: str = "running") -> dict[str, Any]:
    return {"ClientToken": client_token, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()], "State": {"Name": state}}


def member(name: str = "web-1", **more: str) -> Member:
    return Member(name, {**tags_of("web", name, ["app"]), **more})


def run(aws: Aws, *members: Member, image: str = "ami-1") -> list[str]:
    """Launch and return the tokens that were asked with."""
    operation = Launch(aws, "web", members or [member()], {"ImageId": image}, Time())  # type: ignore[arg-type]
    operation.apply(operation.plan())
    return aws.asked


def test_each_missing_member_is_launched_with_a_token_of_its_own() -> None:
    aws = Aws(instance("of-somebody", member("web-2").tags))
    operation = Launch(aws, "web", [member(), member("web-2"), member("web-3")], {"ImageId": "ami-1"})
    planned = operation.plan()
    assert (planned.changed, planned.before, planned.after) == (True, {"instances": ["web-2"]}, {"instances": ["web-1", "web-2", "web-3"]})
    assert aws.asked == []
    assert operation.apply(planned) == operation.result(planned) == {"launched": ["web-1", "web-3"]}
    assert aws.asked == [token("web", "web-1", 0), token("web", "web-3", 0)]
    assert not operation.plan().changed
    assert len({token(fleet, name, number) for fleet in ("a", "b") for name in ("c", "d") for number in (0, 1)}) == 8
    assert len(FIRST) <= 64


def test_a_launch_that_is_not_listed_yet_is_not_done_twice() -> None:
    aws = Aws(listed=False)
    assert run(aws) == [FIRST]
    assert run(aws) == [FIRST, FIRST]
    assert len(aws.instances) == 1


def test_with_a_new_token_in_each_run_it_would_be_done_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "token", lambda *_which: uuid.uuid4().hex)
    aws = Aws(listed=False)
    run(aws)
    run(aws)
    assert len(aws.instances) == 2


@pytest.mark.parametrize(
    ("there", "listed"),
    [
        (instance(FIRST, member().tags, "terminated"), True),
        (instance(FIRST, member().tags, "terminated"), False),
        (instance(FIRST, member().tags, "shutting-down"), False),
        (instance(FIRST, {**member().tags, "Name": "renamed"}), True),
        (instance(FIRST, {"Name": "web-1"}), True),
        (instance(FIRST, member(**{REPLACEMENT_KEY: ""}).tags), True),
    ],
    ids=["terminated", "gone from the list", "on its way out", "renamed", "taken out of the fleet", "a replacement"],
)
def test_what_is_not_the_member_any_more_takes_no_place(there: dict[str, Any], listed: bool) -> None:
    aws = Aws(there, listed=listed)
    assert run(aws)[-1] == SECOND
    assert len(aws.instances) == 2


@pytest.mark.parametrize("listed", [True, False])
def test_an_answer_without_tags_launches_no_more(monkeypatch: pytest.MonkeyPatch, listed: bool) -> None:
    aws = Aws(listed=listed)
    launched = aws.run_instances
    monkeypatch.setattr(aws, "run_instances", lambda **options: {"Instances": [{**launched(**options)["Instances"][0], "Tags": []}]})
    assert run(aws) == [FIRST]
    assert len(aws.instances) == 1


def test_a_replacement_is_another_instance_than_the_member() -> None:
    aws = Aws(instance(FIRST, member().tags))
    assert run(aws, member(**{REPLACEMENT_KEY: ""})) == [SECOND]
    assert run(aws, member(**{REPLACEMENT_KEY: ""})) == [SECOND], "the second run finds it"


def test_a_launch_with_other_options_is_found_once_it_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws(instance(FIRST, member().tags), listed=False)
    slept = []

    def sleep(self: Time, seconds: float) -> None:
        self.at += seconds
        slept.append(seconds)
        aws.listed = len(slept) == 3

    monkeypatch.setattr(Time, "sleep", sleep)
    assert run(aws, image="ami-2") == [FIRST]
    assert len(aws.instances) == 1 and len(slept) == 3


def test_a_launch_with_other_options_that_is_listed_never_is_long_gone() -> None:
    aws = Aws({**instance(FIRST, member().tags), "ImageId": "ami-0"}, listed=False)
    assert run(aws) == [FIRST, SECOND]


def test_a_refusal_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_aws: Aws, **_options: Any) -> None:
        raise refused("InsufficientInstanceCapacity")

    monkeypatch.setattr(Aws, "run_instances", full)
    with pytest.raises(OpsError, match=r"Cannot launch web-1: InsufficientInstanceCapacity .* Declare another size"):
        run(Aws())


def test_nobody_makes_a_member_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "GENERATIONS", 3)
    with pytest.raises(OpsError, match="3 times within a day"):
        run(Aws(*(instance(token("web", "web-1", number), member().tags, "terminated") for number in range(3))))


def test_what_is_not_given_is_left_to_the_subnet_and_the_image() -> None:
    given: dict[str, Any] = {
        "subnet": "subnet-1",
        "security_groups": [],
        "public_address": None,
        "volume_size": 20,
        "image": "ami-1",
        "size": "t3.small",
        "root_device": "/dev/x",
    }
    least = launch.options_of({**given, "ssh_key_name": None, "user_data": None, "monitoring": None})
    first = {"DeviceIndex": 0, "DeleteOnTermination": True, "SubnetId": "subnet-1"}
    assert least["NetworkInterfaces"] == [first]
    assert set(least) == {"ImageId", "InstanceType", "NetworkInterfaces", "BlockDeviceMappings", "MetadataOptions"}
    private = launch.options_of({**given, "ssh_key_name": "k", "user_data": "u", "monitoring": True, "public_address": False, "security_groups": ["sg-1"]})
    assert private["NetworkInterfaces"][0] == {**first, "Groups": ["sg-1"], "AssociatePublicIpAddress": False}
    assert (private["KeyName"], private["UserData"], private["Monitoring"]) == ("k", "u", {"Enabled": True})
