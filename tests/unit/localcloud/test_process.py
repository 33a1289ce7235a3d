# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes are found again by more than their number, and a port's owner is named."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from localcloud.process import Process, port_owner, require_free
from localcloud.shell import CloudError


def test_a_process_is_found_again_and_ended(tmp_path: Path) -> None:
    Process("sleeper", tmp_path).start([sys.executable, "-c", "import time; time.sleep(60)"])
    again = Process("sleeper", tmp_path)
    assert again.pid
    again.stop()
    assert Process("sleeper", tmp_path).pid is None


def test_a_number_used_by_another_process_is_not_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / "old.pid").write_text(f"{os.getpid()} 1\n")
    assert Process("old", tmp_path).pid is None


def test_an_early_end_is_told_with_what_was_said(tmp_path: Path) -> None:
    process = Process("broken", tmp_path)
    process.start([sys.executable, "-c", "raise SystemExit('no such thing')"])
    with pytest.raises(CloudError, match="no such thing"):
        process.wait_for(lambda: False, 20)


def test_the_owner_of_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert f"process {os.getpid()} " in str(port_owner("127.0.0.1", port))
        with pytest.raises(CloudError, match=f"Port {port} on 127.0.0.1 .API. is in use by process {os.getpid()}"):
            require_free("127.0.0.1", {"API": port})
    assert port_owner("127.0.0.1", port) is None
