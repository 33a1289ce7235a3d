# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""groundcrew.ops.findings, verb verify, in playbooks/audit.yml and playbooks/diagnose.yml: a run that could write no page fails before it looks at anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(place: Path, name: str, *options: str) -> tuple[int, str]:
    """Of an inventory with two hosts in the group app and one in none, which nobody can reach: who asks one of them says UNREACHABLE."""
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    (place / "hosts.json").write_text(json.dumps({"all": {"hosts": {"db": gone}, "children": {"app": {"hosts": {"web-1": gone, "web-2": gone}}}}}))
    (place / "c/ansible_collections/groundcrew").mkdir(parents=True)
    (place / "c/ansible_collections/groundcrew/ops").symlink_to(ROOT)
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": f"{place}/c:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":"),
        "ANSIBLE_LOCALHOST_WARNING": "no",
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.json", str(ROOT / f"playbooks/{name}.yml"), *options]
    done = subprocess.run(command, env=env, cwd=place, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


# A run takes two seconds; the first of each kind is in every test.
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "limit"),
    [("audit", "web-1"), ("diagnose", "db"), *(pytest.param(*case, marks=SLOW) for case in (("audit", "db"), ("audit", "all"), ("diagnose", "app")))],
)
def test_a_limit_that_leaves_the_control_node_out_is_refused(name: str, limit: str, tmp_path: Path) -> None:
    code, said = run(tmp_path, name, "--limit", limit)
    assert code == 2 and "UNREACHABLE" not in said and f"-e {name}_hosts=" in said, said


@pytest.mark.parametrize("name", ["audit", pytest.param("diagnose", marks=SLOW)])
def test_hosts_that_are_not_there_are_refused(name: str, tmp_path: Path) -> None:
    code, said = run(tmp_path, name, "-e", f"{name}_hosts=web-3")
    assert code == 2 and "UNREACHABLE" not in said and f"{name}_hosts is web-3, which is no host" in said, said


@pytest.mark.parametrize(("name", "expected"), [("audit", 2), pytest.param("diagnose", 0, marks=SLOW)])
def test_the_hosts_that_are_named_are_asked_and_no_others(name: str, expected: int, tmp_path: Path) -> None:
    code, said = run(tmp_path, name, "-e", f"{name}_hosts=web-2", "-e", f"findings_folder={tmp_path}/page")
    assert code == expected, said
    page = json.loads(next(tmp_path.glob("page/*.json")).read_text())
    assert {each["subject"].split()[0] for each in page["findings"] if each["id"] == "audit.answered"} == {"web-2"}
    assert "fatal: [web-2]: UNREACHABLE" in said and "fatal: [db]" not in said
