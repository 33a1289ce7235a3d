# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""User data becomes a script that a shell runs as cloud-init would."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from localcloud.userdata import UserDataError, script


def test_none_is_nothing() -> None:
    assert script(None) == script("  \n") == ""


def test_a_script_stays_as_it_is() -> None:
    assert script("#!/bin/bash\necho 'a b'") == "#!/bin/bash\necho 'a b'\n"


def test_files_are_written_and_commands_run(tmp_path: Path) -> None:
    config = f"""#cloud-config
write_files:
  - path: {tmp_path}/new/it's here
    permissions: '0640'
    content: |
      line with $HOME and 'quotes'
runcmd:
  - [touch, "{tmp_path}/a b"]
  - echo $((1 + 1)) > {tmp_path}/sum
"""
    subprocess.run(["sh", "-eu", "-c", script(config)], check=True, capture_output=True)
    written = tmp_path / "new" / "it's here"
    assert written.read_text() == "line with $HOME and 'quotes'\n"
    assert written.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "a b").exists()
    assert (tmp_path / "sum").read_text() == "2\n"


def test_packages_come_before_commands() -> None:
    made = script("#cloud-config\npackages: [jq]\nruncmd: [jq --version]\n")
    assert made.index("apt-get install -q -y jq") < made.index("jq --version")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("#cloud-config\nswap: {}\n", "swap"),
        ("hello", "#!"),
        ("#cloud-config\n[\n", "YAML"),
        ("#cloud-config\nwrite_files: [{path: /x, encoding: b64}]\n", "encoding"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(UserDataError, match=named):
        script(text)
