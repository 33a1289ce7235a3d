# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with an application on a host, judged from what was seen there. Pure. In the order of the causes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Told

CATALOG = Catalog("diagnose.compose_app")
check = CATALOG.check
Rows = Sequence[Mapping[str, Any]]

AGAIN = "Deploy the same version again (playbooks/deploy.yml), which repairs most; compose_app_result has the logs."
# What only a web server, and only a worker, is called. An application may have further modes, such as both in one.
MODES = {"web": ("web", "api", "http", "server"), "worker": ("worker", "workers", "jobs", "queue")}
NAMES = {"web": "web service", "worker": "worker"}
# As loggers write it, in JSON or as text, and as languages and the system name what went wrong.
_ERROR = re.compile(
    r'"level":\s*(?:"(?:error|fatal|critical)"|[56]0\b)|\b(?:ERROR|FATAL|CRITICAL|Traceback|ECONNREFUSED|ENOTFOUND|ETIMEDOUT)\b|\b\w*(?:Error|Exception):'
)


@check("high", "A release is active, and none is left in the middle", "Deploy the version again (playbooks/deploy.yml), which ends it, either way.")
def release(release: Sequence[str]) -> Told:
    return _told(release, "It is.")


@check("high", "Every container of the release runs", AGAIN)
def running(running: Sequence[str]) -> Told:
    return _told(running, "They do.")


@check(
    "high",
    "No container was killed for want of memory",
    "Raise its limit (memory in the Compose file) and deploy, or find the leak: compose_app_result has its logs.",
)
def out_of_memory(containers: Rows) -> Told:
    killed = [each for each in containers if each["kills"] and each["current"]]
    return _told([f"{_who(each)} was killed for want of memory, {each['kills']} times within a day." for each in killed], "None was.")


@check("high", "No container is started anew again and again", "compose_app_result has the last words of each; playbooks/rollback.yml, if the release is new.")
def restarts(containers: Rows) -> Told:
    again = [each for each in containers if each["restarting"] or (each["restarts"] and each["running"])]
    return _told([f"{_who(each)} was started anew {each['restarts']} times; it is {each['state']}." for each in again], "None is.")


@check("high", "Workers run as workers, and the web service as one", "Correct the variable in the Compose file or the environment of the service, and deploy.")
def mode(containers: Rows, mode_variable: str) -> Told:
    wrong = []
    for each in containers:
        others = [mode for kind, modes in MODES.items() if each["kind"] and kind != each["kind"] for mode in modes]
        if each["mode"].lower() in others:
            wrong.append(f"{_who(each)} is a {NAMES[each['kind']]} and has {mode_variable}={each['mode']}.")
    return _told(wrong, "They do.")


@check("medium", "The workers log no error", "compose_app_result has their logs; an error that a queue or a database is the cause of is told by their checks.")
def logs(containers: Rows) -> Told:
    return _told([f"{_who(each)} logged {len(each['errors'])} errors of late, at last: {each['errors'][-1]}" for each in containers if each["errors"]], "None.")


@check("high", "The proxy has the servers that it should have", AGAIN)
def proxy(proxy: Sequence[str]) -> Told:
    return _told(proxy, "It has.")


@check("critical", "The active release answers through the proxy", "Repair what is wrong above first; then see the proxy's log: journalctl --unit=haproxy.")
def serves(serving: Sequence[str]) -> Told:
    return _told(serving, "It does.")


@check(
    "medium",
    "The application itself answers quickly",
    "Look first whether the host (diagnose.host.load, memory), the database or the cache (latency, slow, locks) is slow; else scale out, or profile it.",
)
def latency(direct_ms: Mapping[str, float], max_latency_ms: float) -> Told:
    late = {name: taken for name, taken in direct_ms.items() if taken > max_latency_ms}
    said = [f"The container at {name} answers after {taken:.0f} ms; the limit is {max_latency_ms:g} ms." for name, taken in late.items()]
    return _told(said, f"Within {max(direct_ms.values()):.0f} ms, asked directly.")


@check(
    "medium",
    "The proxy adds little to it",
    "Look for requests that wait (show stat on its socket: qcur, scur), at its limits of connections and at the load of the host.",
)
def proxy_latency(proxy_ms: float, direct_ms: Mapping[str, float], max_latency_ms: float) -> Told:
    direct = max(direct_ms.values())
    return proxy_ms - direct <= max_latency_ms, f"Through the proxy it takes {proxy_ms:.0f} ms, directly {direct:.0f} ms."


def errors_in(lines: Sequence[str]) -> list[str]:
    """The lines that tell of an error."""
    return [line[:200] for line in lines if _ERROR.search(line)]


def _who(container: Mapping[str, Any]) -> str:
    return f"Container {container['name']} of {container['service']}"


def _told(wrong: Sequence[str], right: str) -> Told:
    return not wrong, " ".join(wrong) or right
