# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit that uses a secret is believed when it says so, or when its process can have read nothing else."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, differences, plan
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import service
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.service import ServiceSecret, Wanted
from tests.unit.plugins.module_utils._rotation.worlds import Killed, MovedClock

FIRST, SECOND = "f" * 64, "5" * 64


@dataclass
class Unit(Runner):
    """systemd with one unit. reads: whether it reads its file again when it is told to. started: on the machine's clock, in seconds."""

    path: Path
    clock: MovedClock
    reads: bool = True
    active: bool = True
    started: float = 0.0
    uses: str = ""
    told: list[str] = field(default_factory=list)

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        self.told.append(" ".join(argv))
        if argv[:2] == ["systemctl", "show"]:
            state = "active" if self.active else "failed"
            return Completed(tuple(argv), 0, f"ActiveState={state}\nExecMainStartTimestampMonotonic={round(self.started * 1e6)}\n", "")
        if argv[0] == "asked":
            return Completed(tuple(argv), 0 if self.uses else 1, self.uses + "\n", "")
        self.clock.time += 1
        if self.reads:
            self.started = self.clock.time if argv[1] == "restart" else self.started
            self.uses = self.path.read_text().split()[-1]
        return Completed(tuple(argv), 0, "", "")


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    return Unit(tmp_path / "secret.env", MovedClock(time=1000.0))


def give(unit: Unit, password: str, fingerprint: str, **wanted: Any) -> Plan:
    given = {"action": "restart", "owner": getpass.getuser(), "timeout": 5.0, **wanted}
    thing = ServiceSecret(
        Wanted("shop.service", unit.path, fingerprint, content=f"{password} {fingerprint}", **given), unit, unit.clock, unit.path.parent / "state"
    )
    before = thing.read()
    planned = plan(before, thing.desired(before))
    if planned.changed:
        thing.apply(planned)
        assert not differences(thing.read(), planned.after)
    assert password not in str(planned.diff()) + str(thing.result(before)), "a value is shown"
    return planned


ASKED: dict[str, Any] = {"action": "reload", "asks": ["asked"]}


@pytest.mark.parametrize("how", [{}, ASKED, {"asks": ["asked"]}])
def test_a_unit_is_given_what_is_new_and_left_alone_with_what_it_uses(unit: Unit, how: dict[str, Any]) -> None:
    assert give(unit, "first-value", FIRST, **how).changed
    assert unit.path.stat().st_mode & 0o777 == 0o400
    assert not give(unit, "first-value", FIRST, **how).changed
    assert give(unit, "second-value", SECOND, **how).changed
    assert unit.path.read_text() == f"second-value {SECOND}"
    assert len([line for line in unit.told if line.startswith(f"systemctl {how.get('action', 'restart')}")]) == 2


@pytest.mark.parametrize(("how", "said"), [({}, "it said nothing"), (ASKED, f"it uses {FIRST[:12]}")])
def test_a_unit_that_goes_on_with_the_old_one_acknowledges_nothing(unit: Unit, how: dict[str, Any], said: str) -> None:
    give(unit, "first-value", FIRST, **how)
    unit.reads = False
    for _again in range(2):
        with pytest.raises(OpsError, match=rf"Gave up waiting for shop\.service to acknowledge 555555555555 .*{said}.* Both values work"):
            give(unit, "second-value", SECOND, **how)


def test_a_unit_that_failed_acknowledges_nothing(unit: Unit) -> None:
    give(unit, "first-value", FIRST)
    unit.active = False
    with pytest.raises(OpsError, match="it said nothing"):
        give(unit, "first-value", FIRST)


def test_a_file_that_somebody_else_wrote_is_no_proof(unit: Unit) -> None:
    unit.path.write_text(f"first-value {FIRST}")
    unit.path.chmod(0o400)
    unit.started = unit.clock.time + 1
    assert give(unit, "first-value", FIRST).changed


@pytest.mark.parametrize("write", [1, 2, 3])
def test_a_run_that_was_killed_while_it_wrote_is_no_proof(unit: Unit, monkeypatch: pytest.MonkeyPatch, write: int) -> None:
    """The process began after the file before was written: that is what must not count."""
    give(unit, "first-value", FIRST)
    writes, real = [], service.write_atomic

    def cut(path: Path, content: str, *, mode: int) -> None:
        writes.append(path)
        if len(writes) == write:
            raise Killed
        real(path, content, mode=mode)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(service, "write_atomic", cut)
        give(unit, "second-value", SECOND)
    assert give(unit, "second-value", SECOND).changed
    assert unit.uses == SECOND


def test_a_unit_that_began_with_the_machine_has_read_the_file(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    give(unit, "first-value", FIRST)
    unit.started = 5.0  # the clock began anew, too
    assert give(unit, "first-value", FIRST).changed, "on the same boot that is a process from before"
    monkeypatch.setattr(service, "_boot", lambda: "another")
    unit.started = 5.0
    assert not give(unit, "first-value", FIRST).changed


def test_a_reload_without_a_word_of_the_unit_is_refused(unit: Unit) -> None:
    with pytest.raises(OpsError, match=r"A reload of shop\.service proves nothing"):
        give(unit, "first-value", FIRST, action="reload")


def test_two_units_may_read_one_file(unit: Unit) -> None:
    other = Unit(unit.path, unit.clock)
    for each in (unit, other):
        assert give(each, "first-value", FIRST).changed
    assert not give(unit, "first-value", FIRST).changed
    assert give(unit, "second-value", SECOND).changed
    assert give(other, "second-value", SECOND).changed, "it began before the file was written"
    assert not give(unit, "second-value", SECOND).changed
