# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a process is provably gone."""

from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.groundcrew.ops.plugins.filter.orphan import orphan
from ansible_collections.groundcrew.ops.plugins.lookup.controller import LookupModule
from ansible_collections.groundcrew.ops.plugins.module_utils._core import process


def test_a_process_is_gone_once_it_has_ended() -> None:
    child = subprocess.Popen(["sleep", "60"])
    seen = process.identity(child.pid)
    assert not process.gone(seen)
    assert orphan({"run": "one", "controller": seen}) == ""
    child.kill()
    child.wait()
    assert process.process(child.pid) == "" and not process.alive(seen.rpartition(" ")[2])
    assert process.gone(seen)
    assert orphan({"run": "one", "controller": seen}) == "one"


def test_another_process_with_the_same_number_is_not_it() -> None:
    boot, namespace, me = process.identity(os.getpid()).split(" ")
    assert process.gone(f"{boot} {namespace} {me.partition(':')[0]}:1")


@pytest.mark.parametrize("seen", ["", "what is this", "a b c", "a b 1:2"])
def test_what_cannot_be_known_is_not_gone(seen: str) -> None:
    assert not process.gone(seen)


def test_a_process_of_another_boot_or_container_is_not_known() -> None:
    boot, namespace, _me = process.identity(os.getpid()).split(" ")
    assert not process.gone(f"another {namespace} 999999:1")
    assert not process.gone(f"{boot} pid:[1] 999999:1")
    assert process.gone(f"{boot} {namespace} 999999:1")


def test_another_user_s_process_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    boot, namespace, _me = process.identity(os.getpid()).split(" ")
    assert not process.gone(f"{boot} {namespace} 999999:1")


def test_a_system_without_proc_has_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_path: str) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os, "readlink", missing)
    assert process.identity(os.getpid()) == ""


def test_the_lookup_names_this_process() -> None:
    assert LookupModule().run([]) == [process.identity(os.getpid())]
