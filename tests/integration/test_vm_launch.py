# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ec2_fleet_launch on EC2 as moto serves it: a lost answer and a run that is killed leave exactly the wanted count, also before AWS lists an instance."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._ec2 import launch
from tests.integration import moto_ec2
from tests.integration.do_inprocess import main_of
from tests.integration.do_kills import Killer, Work, a_module
from tests.integration.moto_ec2 import Moto
from tests.integration.moto_world import REGION, TAG, Ec2, tags_of

NAMES = ["shop-1", "shop-2"]


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with moto_ec2.serving() as served:
        yield served


@pytest.fixture(scope="module")
def ec2(moto: Moto, tmp_path_factory: pytest.TempPathFactory) -> Ec2:
    return Ec2(moto.url, tmp_path_factory.mktemp("ec2"))


@pytest.fixture
def fleet(ec2: Ec2, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A declaration; each test has a fleet of its own."""
    there = {"image": ec2.image(), "root_device": "/dev/xvda", "subnet": ec2.subnet, "region": REGION}
    return {"fleet_tag": request.node.name, "names": NAMES, "size": "t3.small", **there}


def run(env: Mapping[str, str], fleet: Mapping[str, Any]) -> dict[str, Any]:
    return main_of(env, "ec2_fleet_launch", fleet)


def forgetfully(env: Mapping[str, str], call: tuple[str, Mapping[str, Any]]) -> None:
    """The control: a new token in each run, as amazon.aws.ec2_instance has it."""
    with mock.patch.object(launch, "token", lambda *_which: uuid.uuid4().hex):
        a_module(env, call)


def launched(ec2: Ec2, tag: str) -> list[str]:
    return sorted(tags_of(each)["Name"] for each in ec2.instances().values() if tags_of(each).get(TAG) == tag)


def test_a_fleet_is_launched_once_and_a_dry_run_says_so(ec2: Ec2, fleet: dict[str, Any]) -> None:
    said = main_of(ec2.env, "ec2_fleet_launch", fleet, check=True)
    assert (said["changed"], said["launched"], launched(ec2, fleet["fleet_tag"])) == (True, NAMES, [])
    done = run(ec2.env, fleet)
    assert (done["changed"], done["diff"], done["launched"]) == (True, said["diff"], NAMES)
    again = run(ec2.env, fleet)
    assert (again["changed"], again["launched"], launched(ec2, fleet["fleet_tag"])) == (False, [], NAMES)


def test_a_launch_whose_answer_is_lost_is_not_done_twice(moto: Moto, ec2: Ec2, fleet: dict[str, Any]) -> None:
    """Neither by botocore, which asks again, nor by the next run, which sees none of it in the list yet."""
    moto.blind, moto.lose = True, {"RunInstances"}
    assert run(ec2.env, fleet)["launched"] == NAMES
    assert not moto.lose
    assert run(ec2.env, fleet)["launched"] == NAMES
    moto.blind = False
    assert launched(ec2, fleet["fleet_tag"]) == NAMES


def left_by_kills(moto: Moto, ec2: Ec2, work: Work, fleet: Mapping[str, Any]) -> list[int]:
    """How many members there are after a kill at each moment and another run, while nothing that was launched is listed."""
    moto.blind = True
    tags: list[str] = []
    while True:
        declared = {**fleet, "fleet_tag": f"{fleet['fleet_tag']}-{len(tags)}"}
        if not Killer(ec2.env, moto, work, ("ec2_fleet_launch", declared)).until(len(tags) + 1):
            break
        work(ec2.env, ("ec2_fleet_launch", declared))
        tags.append(declared["fleet_tag"])
    moto.blind = False
    return [len(launched(ec2, tag)) for tag in tags]


def test_a_launch_that_is_killed_anywhere_ends_with_exactly_the_fleet(moto: Moto, ec2: Ec2, fleet: dict[str, Any]) -> None:
    assert left_by_kills(moto, ec2, a_module, fleet) == [2] * 6, "before and after the look and each launch"


@pytest.mark.slow
def test_with_a_new_token_in_each_run_there_would_be_too_many(moto: Moto, ec2: Ec2, fleet: dict[str, Any]) -> None:
    assert max(left_by_kills(moto, ec2, forgetfully, fleet)) > 2
