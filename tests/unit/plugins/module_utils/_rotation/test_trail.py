# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail tells the whole story, and notices when somebody else told another one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.journal import Journal
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.dual_user import DualUser
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Machine, Patience
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.trail import export
from tests.unit.plugins.module_utils._rotation.worlds import CONSUMERS, NAME, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def rotate(world: World) -> None:
    machine = world.machine(grace=0.0, quiet=0.0, observe=0.0)
    machine.begin(CONSUMERS)
    machine.go_on("finish", world.acknowledge())


def journal(world: World) -> Path:
    return world.folder / "rotations" / f"{NAME}.jsonl"


def test_it_tells_who_what_when_and_from_which_fingerprint_to_which(world: World) -> None:
    before = world.secret.current
    Machine(NAME, world.store, world.records, DualUser(world.database, "shop"), Patience(), world.clock, by="jo@control").begin(CONSUMERS)
    told = export(world.records, [], [])["trail"]
    assert told[0]["what"] == "planned"
    assert {line["by"] for line in told} == {"jo@control"}
    assert {line["from"] for line in told} == {before.fingerprint}
    assert (told[0]["to"], told[-1]["to"]) == (None, world.secret.current.fingerprint)
    assert told[-1]["what"] == "completed PUBLISHED"
    assert told[-1]["at"] == "2023-11-14T22:13:20Z"
    values = [before.part("password"), world.secret.current.part("password")]
    assert not [value for value in values if value in json.dumps(told)]


def test_a_removed_secret_keeps_its_trail(world: World) -> None:
    rotate(world)
    world.store.delete(NAME)
    assert {line["secret"] for line in export(world.records, [], [])["trail"]} == {NAME}


def test_what_went_on_meanwhile_agrees_with_the_anchors_of_before(world: World) -> None:
    assert export(world.records, [], []) == {"trail": [], "anchors": []}
    rotate(world)
    first = export(world.records, [], [])
    rotate(world)
    second = export(world.records, [NAME], first["anchors"])
    assert second["trail"][: len(first["trail"])] == first["trail"]
    assert second["anchors"][0]["seq"] == len(second["trail"]) > len(first["trail"])


def change_a_word(path: Path) -> None:
    path.write_text(path.read_text().replace("PUBLISHED", "DESTROYED", 1))


def take_a_line_out(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:5] + lines[6:]))


def cut_the_end_off(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-3]))


def tell_another_story(path: Path) -> None:
    """A chain of its own, without a fault in it."""
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    path.unlink()
    for entry in entries:
        ours = ("seq", "at", "kind", "previous", "hash", "by")
        Journal(path).append(entry["kind"], by="nobody", **{name: value for name, value in entry.items() if name not in ours})


def remove_it(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (change_a_word, "does not continue the chain"),
        (take_a_line_out, "does not continue the chain"),
        (cut_the_end_off, "is gone or is another one"),
        (tell_another_story, "is gone or is another one"),
        (remove_it, "is gone or is another one"),
    ],
)
def test_tampering_is_found(world: World, tamper: Callable[[Path], None], said: str) -> None:
    rotate(world)
    anchors = export(world.records, [], [])["anchors"]
    tamper(journal(world))
    with pytest.raises(OpsError, match=said):
        export(world.records, [], anchors)


@pytest.mark.parametrize("tamper", [cut_the_end_off, tell_another_story, remove_it])
def test_without_anchors_an_end_that_was_cut_off_cannot_be_known(world: World, tamper: Callable[[Path], None]) -> None:
    """The control: why there are anchors."""
    rotate(world)
    tamper(journal(world))
    export(world.records, [], [])
