# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell a webhook that a maintenance task failed.

It is sent a JSON object: text (one line for people, which chat programs show), host, and of the task's record name, outcome, exit_code, started, ended,
failures and last_ok. What the task said stays on the host. The address is read from a file, as it may hold a token.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RECORDS = Path("/var/lib/groundcrew/maintenance")
ADDRESS = Path("/etc/groundcrew/maintenance/webhook")
TOLD = ("name", "outcome", "exit_code", "started", "ended", "failures", "last_ok")
TIMEOUT = 10.0  # seconds for one attempt
PAUSES = (2.0, 10.0)  # seconds before each further attempt


class Direct(urllib.request.HTTPRedirectHandler):
    """An address that moved is an error: elsewhere the message would arrive as a GET without its body."""

    def redirect_request(self, *_arguments: Any, **_more: Any) -> None:
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Tell a webhook that a maintenance task failed.")
    parser.add_argument("--records", type=Path, default=RECORDS)
    parser.add_argument("--address", type=Path, default=ADDRESS)
    parser.add_argument("name")
    given = parser.parse_args(arguments)
    told = message(given.records / f"{given.name}.json", given.name)
    request = urllib.request.Request(given.address.read_text(encoding="utf-8").strip(), told, {"Content-Type": "application/json"})
    said = ""
    for pause in (0.0, *PAUSES):
        time.sleep(pause)
        said = attempt(request)
        if not said:
            return 0
    print(f"The webhook did not take that {given.name} failed: {said}. Its address is in {given.address}.", file=sys.stderr)
    return 1


def message(path: Path, name: str) -> bytes:
    """A task that was killed before its first record has none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = {"name": name, "outcome": "failed"}
    host = socket.gethostname()
    again = f", {record['failures']} times in a row" if record.get("failures", 0) > 1 else ""
    text = f"{name} on {host}: {record['outcome']}{again}"
    return json.dumps({"text": text, "host": host, **{field: record.get(field) for field in TOLD}}).encode()


def attempt(request: urllib.request.Request) -> str:
    """What went wrong; nothing when it was taken."""
    try:
        with urllib.request.build_opener(Direct).open(request, timeout=TIMEOUT):
            return ""
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))


if __name__ == "__main__":
    sys.exit(main())
