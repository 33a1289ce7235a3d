# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An owner's units of systemd: files are real, systemd is a stand-in that keeps what it was told."""

from __future__ import annotations

import fnmatch
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, plan
from ansible_collections.groundcrew.ops.plugins.module_utils._host.units import Units

MARK = "# ours"


class Systemd(Runner):
    """refuses: a word that no unit may have. read: the files as systemd knows them, by the names of those in memory. began: when units last were started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.refuses = "nonsense"
        self.active: set[str] = set()
        self.enabled: set[str] = set()
        self.read: dict[str, str] = {}
        self.began: dict[str, float] = {}
        self.did: list[str] = []

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        program, verb, *words = argv
        names = [word for word in words if not word.startswith("--")]
        if program == "systemd-analyze":
            wrong = [name for name in names if self.refuses in Path(name).read_text()]
            return Completed(tuple(argv), 1 if wrong else 0, "", f"{wrong}: {self.refuses}" if wrong else "")
        if verb == "show":
            assert not any("@." in name for name in names), "a template has no state"
            known = [each for name in names for each in (fnmatch.filter(self.read, name) if "*" in name else [name])]
            return Completed(tuple(argv), 0, "\n\n".join(map(self._block, known)) + "\n", "")
        self.did.append(" ".join([verb, *names]))
        if verb == "daemon-reload":
            instances = {name: self._file(name).read_text() for name in self.read if "@" in name}
            self.read = {path.name: path.read_text() for path in self._folder.iterdir() if "@." not in path.name} | instances
        elif verb == "enable":
            self.enabled |= set(names)
        elif verb == "restart":
            self.active |= set(names)
            self.began |= dict.fromkeys(names, time.time())
        else:
            assert verb == "disable"
            self.active -= set(names)
            self.enabled -= set(names)
        return Completed(tuple(argv), 0, "", "")

    def _file(self, name: str) -> Path:
        template, _at, instance = name.partition("@")
        return self._folder / (f"{template}@.{instance.rpartition('.')[2]}" if instance else name)

    def _block(self, name: str) -> str:
        stale = self.read.get(name) != self._file(name).read_text()
        began = datetime.fromtimestamp(self.began[name], UTC).strftime("%a %Y-%m-%d %H:%M:%S.%f UTC") if name in self.began else ""
        return "\n".join(
            (
                f"Id={name}",
                f"ActiveState={'active' if name in self.active else 'inactive'}",
                f"UnitFileState={'enabled' if name in self.enabled else 'disabled'}",
                f"NeedDaemonReload={'yes' if stale else 'no'}",
                f"InactiveExitTimestamp={began}",
            )
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "units"
    made.mkdir()
    return made


@pytest.fixture
def systemd(folder: Path) -> Systemd:
    return Systemd(folder)


def unit(name: str, body: str = "", *, started: bool = False) -> dict[str, Any]:
    return {"name": name, "content": f"{MARK}\n{body}\n", "started": started}


SERVICE, TIMER, TEMPLATE = unit("our-a.service"), unit("our-a.timer", "daily", started=True), unit("our-failed@.service")


def noun(folder: Path, systemd: Systemd, *units: dict[str, Any], exclusive: bool = True) -> Units:
    return Units({"prefix": "our-", "mark": MARK, "units": [*units], "exclusive": exclusive, "path": str(folder)}, systemd)


def converge(folder: Path, systemd: Systemd, *units: dict[str, Any], exclusive: bool = True) -> Plan:
    """As the runner does it: decide, do, and look whether nothing is left to do."""
    systemd.did.clear()
    there = noun(folder, systemd, *units, exclusive=exclusive)
    before = there.read()
    planned = plan(before, there.desired(before))
    if planned.changed:
        there.apply(planned)
        after = there.read()
        assert not plan(after, there.desired(after)).changed
    return planned


def test_all_are_made_at_once_and_only_once(folder: Path, systemd: Systemd) -> None:
    planned = converge(folder, systemd, SERVICE, TIMER, TEMPLATE)
    assert planned.before == {} and planned.diff()["after"].count(MARK) == 3
    assert systemd.did == ["daemon-reload", "enable our-a.timer", "restart our-a.timer"]
    assert {path.name: path.read_text() for path in folder.iterdir()} == {each["name"]: each["content"] for each in (SERVICE, TIMER, TEMPLATE)}
    assert not converge(folder, systemd, SERVICE, TIMER, TEMPLATE).changed and systemd.did == []


def test_a_timer_whose_file_has_changed_is_started_again(folder: Path, systemd: Systemd) -> None:
    converge(folder, systemd, SERVICE, TIMER)
    converge(folder, systemd, SERVICE, unit("our-a.timer", "weekly", started=True))
    assert systemd.did == ["daemon-reload", "enable our-a.timer", "restart our-a.timer"]


def test_a_service_that_has_changed_is_read_and_left_to_what_starts_it(folder: Path, systemd: Systemd) -> None:
    converge(folder, systemd, SERVICE, TIMER)
    converge(folder, systemd, unit("our-a.service", "other"), TIMER)
    assert systemd.did == ["daemon-reload"]


@pytest.mark.parametrize("lost", ["active", "enabled"])
def test_a_timer_that_somebody_stopped_or_disabled_is_started(folder: Path, systemd: Systemd, lost: str) -> None:
    converge(folder, systemd, SERVICE, TIMER)
    getattr(systemd, lost).clear()
    assert converge(folder, systemd, SERVICE, TIMER).changed and systemd.active == systemd.enabled == {"our-a.timer"}


@pytest.mark.parametrize("stale", ["our-a.service", "our-a.timer"])
def test_what_a_killed_run_wrote_is_read(folder: Path, systemd: Systemd, stale: str) -> None:
    converge(folder, systemd, SERVICE, TIMER)
    systemd.read[stale] = "as it was before the run that was killed"
    assert converge(folder, systemd, SERVICE, TIMER).changed and "daemon-reload" in systemd.did


def test_an_instance_knows_its_template_as_a_killed_run_wrote_it(folder: Path, systemd: Systemd) -> None:
    converge(folder, systemd, TEMPLATE)
    systemd.read["our-failed@a.b.service"] = "as it was before the run that was killed"
    assert converge(folder, systemd, TEMPLATE).changed and systemd.did == ["daemon-reload"]
    assert not converge(folder, systemd, TEMPLATE).changed


def test_what_runs_by_a_file_that_a_killed_run_replaced_is_started_again(folder: Path, systemd: Systemd) -> None:
    converge(folder, systemd, SERVICE, TIMER)
    systemd.began["our-a.timer"] -= 60
    assert converge(folder, systemd, SERVICE, TIMER).changed and systemd.did[-1] == "restart our-a.timer"
    assert not converge(folder, systemd, SERVICE, TIMER).changed


def test_a_file_of_a_clock_that_was_set_back_is_no_reason_for_ever(folder: Path, systemd: Systemd) -> None:
    converge(folder, systemd, SERVICE, TIMER)
    os.utime(folder / "our-a.timer", (time.time() + 3600,) * 2)
    assert converge(folder, systemd, SERVICE, TIMER).changed
    assert not converge(folder, systemd, SERVICE, TIMER).changed


def test_damage_to_a_file_is_mended(folder: Path, systemd: Systemd) -> None:
    converge(folder, systemd, SERVICE, TIMER)
    (folder / "our-a.service").chmod(0o666)
    assert converge(folder, systemd, SERVICE, TIMER).changed
    assert (folder / "our-a.service").stat().st_mode & 0o777 == 0o644


def test_what_is_not_declared_goes_and_what_is_not_ours_stays(folder: Path, systemd: Systemd) -> None:
    converge(folder, systemd, SERVICE, TIMER, unit("our-b.service"), unit("our-b.timer", started=True))
    for foreign in ("our-app.service", "other.service", "our-notes.txt"):
        (folder / foreign).write_text(f"by somebody else, who writes {MARK} in a line\n")
    assert not converge(folder, systemd, SERVICE, TIMER, exclusive=False).changed
    converge(folder, systemd, SERVICE, TIMER)
    assert systemd.did == ["disable our-b.timer", "daemon-reload"]
    assert {path.name for path in folder.iterdir()} == {"our-a.service", "our-a.timer", "our-app.service", "other.service", "our-notes.txt"}
    converge(folder, systemd)
    assert {path.name for path in folder.iterdir()} == {"our-app.service", "other.service", "our-notes.txt"} and not systemd.active


def test_a_stranger_s_unit_is_not_overwritten(folder: Path, systemd: Systemd) -> None:
    (folder / "our-a.service").write_text("[Service]\nExecStart=/bin/true\n")
    with pytest.raises(OpsError, match=r"our-a\.service would be overwritten, and belongs to somebody else"):
        converge(folder, systemd, SERVICE, TIMER)
    assert [path.name for path in folder.iterdir()] == ["our-a.service"] and not systemd.did
    (folder / "our-a.service").write_text("")
    assert converge(folder, systemd, SERVICE, TIMER).changed


def test_a_service_that_is_started_at_boot_is_stopped_before_it_goes(folder: Path, systemd: Systemd) -> None:
    converge(folder, systemd, SERVICE, unit("our-d.service", "[Install]\nWantedBy=multi-user.target", started=True))
    converge(folder, systemd)
    assert systemd.did == ["disable our-d.service", "daemon-reload"] and not systemd.active


def test_one_that_systemd_refuses_leaves_all_as_they_were(folder: Path, systemd: Systemd) -> None:
    converge(folder, systemd, SERVICE, TIMER)
    with pytest.raises(OpsError, match=r"none was written.*nonsense"):
        converge(folder, systemd, unit("our-a.service", "other"), unit("our-c.timer", "nonsense", started=True))
    assert {path.name: path.read_text() for path in folder.iterdir()} == {each["name"]: each["content"] for each in (SERVICE, TIMER)}
    assert systemd.did == [] and systemd.active == {"our-a.timer"}


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ([unit("their-a.service")], "their-a.service .*begin with our-"),
        ([unit("our-a.socket")], "our-a.socket .*no names of a service or timer"),
        ([unit("our-../a.service")], "no names of a service or timer"),
        ([SERVICE, SERVICE], "our-a.service .*more than once"),
        ([{"name": "our-a.service", "content": "[Service]\n", "started": False}], "have no line '# ours'"),
    ],
)
def test_what_cannot_be_is_refused(folder: Path, systemd: Systemd, units: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(OpsError, match=words):
        noun(folder, systemd, *units)
