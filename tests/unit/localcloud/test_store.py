# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State is whole after any end of the process."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from localcloud.store import Store

REPEAT = """
import sys
from pathlib import Path
from localcloud.store import Store
store = Store(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    with store.transaction():
        store.put("left", 1, {"number": number})
        store.put("right", 1, {"number": number})
    if number == 50:
        print("going", flush=True)
"""


def test_documents_come_in_order_and_survive(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    for name in ("b", "a"):
        store.put("kind", name, {"name": name})
    store.put("kind", "b", {"name": "b2"})
    assert [one["name"] for one in Store(tmp_path / "s").all("kind")] == ["b2", "a"]
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.put("kind", 1, {})
        raise ZeroDivisionError
    assert store.get("kind", 1) is None


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    given: list[int] = []
    threads = [threading.Thread(target=lambda: given.extend(store.number("n", 5) for _turn in range(50))) for _turn in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(5, 205))


def test_a_kill_leaves_whole_transactions(tmp_path: Path) -> None:
    package = Path(sys.modules[Store.__module__].__file__ or "").parents[1]
    writer = subprocess.Popen([sys.executable, "-c", REPEAT, str(tmp_path / "s")], stdout=subprocess.PIPE, env={"PYTHONPATH": str(package)})
    assert writer.stdout
    writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    store = Store(tmp_path / "s")
    left, right = store.get("left", 1), store.get("right", 1)
    assert left == right
    assert left is not None and left["number"] >= 50
