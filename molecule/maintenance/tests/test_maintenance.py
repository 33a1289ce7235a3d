# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role maintenance left on the hosts: timers that run their tasks and record how it went."""

from __future__ import annotations

import json
from typing import Any

from testinfra.host import Host


def run(host: Host, name: str) -> tuple[bool, dict[str, Any]]:
    """Run a task now; whether its unit ended well, and its record."""
    done = host.run(f"systemctl start groundcrew-{name}.service")
    return done.rc == 0, json.loads(host.file(f"/var/lib/groundcrew/maintenance/{name}.json").content_string)


def test_timers_wait(host: Host) -> None:
    for name in ("apt-cache", "speaks", "imports", "fails", "hangs"):
        state = host.check_output(f"systemctl show groundcrew-{name}.timer --property=ActiveState,UnitFileState,Persistent")
        assert set(state.split()) == {"ActiveState=active", "UnitFileState=enabled", "Persistent=yes"}


def test_task_gets_exactly_what_was_declared(host: Host) -> None:
    good, record = run(host, "speaks")
    assert good and record["outcome"] == "ok" and record["failures"] == 0
    assert record["lines"] == ["two \"words\" $HOME 5% 100% \\ a 'quoted' $HOME", "nobody"]


def test_collection_code_runs_without_a_control_node(host: Host) -> None:
    good, record = run(host, "imports")
    assert good, record["lines"]


LISTEN = """
import http.server, pathlib
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        pathlib.Path("/hook").write_text(self.path + "\\n" + body)
        self.send_response(204)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", 8099), Hook).handle_request()
"""


def test_failure_is_seen(host: Host) -> None:
    host.run("rm -f /fails /hook")
    host.check_output("nohup python3 -c %s >/dev/null 2>&1 &", LISTEN)
    good, record = run(host, "fails")
    assert not good and (record["outcome"], record["exit_code"], record["lines"]) == ("failed", 3, ["out of luck"])
    assert "groundcrew-fails.service" in host.check_output("systemctl --failed --plain --no-legend")
    assert host.run("timeout 10 sh -c 'until test -e /fails; do sleep 0.1; done'").rc == 0, "nobody was notified"
    path, told = host.check_output("cat /hook").splitlines()
    assert path == "/hook?token=sesame"
    assert {name: json.loads(told)[name] for name in ("name", "outcome", "exit_code")} == {"name": "fails", "outcome": "failed", "exit_code": 3}
    assert "out of luck" not in told
    assert host.file("/etc/groundcrew/maintenance/webhook").mode == 0o600
    host.run("rm -f /fails /hook; systemctl reset-failed")


def test_task_that_hangs_is_stopped(host: Host) -> None:
    good, record = run(host, "hangs")
    assert not good and record["outcome"] == "timed out" and record["seconds"] < 30
    host.run("rm -f /hangs; systemctl reset-failed")


def test_one_at_a_time(host: Host) -> None:
    host.check_output("systemctl start --no-block groundcrew-hangs.service && sleep 0.3 && systemctl start groundcrew-speaks.service")
    record = json.loads(host.file("/var/lib/groundcrew/maintenance/speaks.json").content_string)
    assert record["outcome"] == "ok" and record["waited"] > 0.3
    host.run("rm -f /hangs; systemctl reset-failed")
