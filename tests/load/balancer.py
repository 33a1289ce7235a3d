# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HAProxy on this machine before several hosts, and the tasks by which a playbook takes a host out and puts it back."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.backup_servers import free_port
from tests.load.client import Load, Report, sent

CONFIGURATION = """
global
    stats socket {socket} mode 600 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
frontend all
    bind 127.0.0.1:{port}
    default_backend shop
backend shop
    option httpchk GET /
    default-server check inter 500ms fall 2 rise 1
"""


class Balancer:
    """hooks: the variables of playbook patch that name the tasks which take a host out and put it back."""

    def __init__(self, work: Path, addresses: Mapping[str, str]) -> None:
        self._work = work
        self._addresses = addresses
        self._socket = work / "haproxy.sock"
        self._port = free_port()
        self.hooks = {"host_before_patch": self._tasks("absent"), "host_after_patch": self._tasks("present")}

    def _tasks(self, state: str) -> str:
        place = {"backend": "shop", "server": "{{ inventory_hostname }}", "state": state, "socket": str(self._socket)}
        # The balancer runs here, with this Python.
        here = {"delegate_to": "localhost", "become": False, "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}}
        file = self._work / f"{state}.yml"
        file.write_text(json.dumps([{"name": "Change the place", "groundcrew.ops.haproxy_member": place, **here}]))
        return str(file)

    @contextmanager
    def load(self, path: str = "/", **options: Any) -> Iterator[Report]:
        with sent(Load(f"http://127.0.0.1:{self._port}{path}", **{"seconds": 400.0, **options})) as report:
            yield report

    @contextmanager
    def running(self) -> Iterator[Balancer]:
        servers = "".join(f"    server {name} {address}:80\n" for name, address in self._addresses.items())
        configuration = self._work / "haproxy.cfg"
        configuration.write_text(CONFIGURATION.format(socket=self._socket, port=self._port) + servers)
        process = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", str(configuration)])
        try:
            deadline = time.monotonic() + 10
            while not self._socket.exists():
                assert process.poll() is None and time.monotonic() < deadline, "HAProxy did not start"
                time.sleep(0.1)
            yield self
        finally:
            process.terminate()
            process.wait(10)
