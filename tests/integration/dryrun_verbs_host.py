# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that prepare, patch and look at any host, what it does by itself and what its services are given, with the variables that each may be given."""

from __future__ import annotations

from random import Random
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import VERDICTS
from tests.integration.dryrun_verbs import maybe, never, nothing, some
from tests.integration.dryrun_walk import Verb
from tests.integration.dryrun_world_host import FACT, NAME, SECRETS, SERVICES

# Its file of keys is known by its comment for one of ours.
KEYS = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMJx1bRyVYkBh5Ut9HqmQm0h5XH3TSDkYgXHlPN8jBmP groundcrew",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f groundcrew",
]
WAIVERS = [{"id": "ssh.*", "owner": "olive", "expires": "2099-01-31", "reason": "until then"}]
# So far ahead that nothing starts by itself while a walk looks.
FAR = ["2098-01-01", "2099-01-01 04:00", "2099-06-01..07 03:10"]


def user(chance: Random, name: str) -> dict[str, Any]:
    if chance.random() < 0.2:
        return {"name": name, "state": "absent"}
    return {
        "name": name,
        **maybe(chance, keys=[KEYS, KEYS[:1], KEYS[1:]], keys_exclusive=[True], sudo=[True, False], groups=[["adm"], ["audio", "video"]], shell=["/bin/sh"]),
    }


def host(chance: Random) -> dict[str, Any]:
    allow = [{"name": "web", "ports": ["80", "443"]}, {"name": "office", "ports": ["9000-9010"], "protocol": "udp", "from": ["192.0.2.0/24", "2001:db8::/32"]}]
    shop = {"name": "shop", "paths": ["/var/log/shop/*.log"]}
    return {
        "host_users": [user(chance, name) for name in some(chance, ["olive", "pete"])],
        "host_firewall": chance.random() < 0.6,
        "host_firewall_allow": some(chance, allow),
        **maybe(
            chance,
            host_packages=[["tree"]],
            host_timezone=["Europe/Berlin", "Asia/Tokyo"],
            host_locale=["en_US.UTF-8"],
            host_time_sync=[False],
            host_time_servers=[["192.0.2.1"], ["192.0.2.2", "192.0.2.3"]],
            host_sshd_hardening=[True, False],
            host_sshd_options=[{"MaxAuthTries": "5"}, {"LogLevel": "VERBOSE"}],
            host_firewall_rules=[["udp dport 5353 accept"]],
            host_security_upgrades=[True, False],
            host_security_upgrades_exclude=[["^linux-image"]],
            host_journal_max_use=["200M", "300M"],
            host_journal_max_age=["2week"],
            host_logrotate=[[shop], [{**shop, "options": ["weekly", "rotate 4", "missingok"]}]],
            host_sysctl=[{"net.ipv4.tcp_fin_timeout": "45"}, {"vm.swappiness": "20", "net.core.somaxconn": "2048"}],
            host_swap_mib=[64],
        ),
    }


def audit(chance: Random) -> dict[str, Any]:
    more = maybe(chance, host_audit_ports=[["tcp/22", "tcp/80"]], host_audit_disk_percent=[1], host_sysctl=[{"vm.swappiness": "20"}])
    return {**never("host")(chance), **more}


def maintenance(chance: Random) -> dict[str, Any]:
    speaks = {"name": "speaks", "description": "Say something", "command": ["echo", "hello", "100% of $HOME"], "calendar": chance.choice(FAR)}
    points = {
        "name": "points",
        "description": "Say where its credentials are",
        "command": ["echo", "${CREDENTIALS_DIRECTORY}/name"],
        "calendar": chance.choice(FAR),
    }
    more = maybe(
        chance, randomized_delay=["5min"], persistent=[False], timeout=[60], environment=[{"WORD": "two words"}], memory_max=["64M"], wait=[60], beside=[True]
    )
    tasks = [{**speaks, **more, **maybe(chance, user=["nobody"])}, {**points, "credentials": [{"name": "name", "path": "/etc/hostname"}]}]
    idle = {"name": "idles", "description": "Do nothing", "command": ["true"], "calendar": chance.choice(FAR)}
    logs = {"paths": ["/var/log/nowhere/*.gz"], "bucket": "logs", "access_key": "a", "secret_key": "b"}
    return {
        "maintenance_tasks": tasks + some(chance, [idle]),
        "maintenance_presets": some(chance, ["apt-cache", "docker-build-cache", "weekly", "quarterly"]),
        **maybe(
            chance,
            maintenance_code=[True],
            maintenance_notify=[["logger", "--"]],
            maintenance_webhook_url=["http://127.0.0.1:8099/hook?token=one", "http://127.0.0.1:8099/hook?token=two"],
        ),
        **maybe(chance, maintenance_logs=[{**logs, "keep_days": days} for days in (0, 90)]),
    }


def services(chance: Random) -> dict[str, Any]:
    """The reporter is started anew; the mailer reads its file again and tells what it uses."""
    items: list[dict[str, Any]] = []
    for unit, path in SERVICES.items():
        secret = chance.choice(SECRETS)
        asked = f"lookup('groundcrew.ops.secret', '{secret}'"
        content = "\n".join(["{{ " + asked + ") }}", "{{ " + asked + ", field='fingerprint') }}", ""])
        items.append({"secret": secret, "unit": unit, "path": path, "content": content, **maybe(chance, owner=["root", "nobody"], timeout=[20])})
    items[-1] |= {"action": "reload", "acknowledge": ["cat", "/run/mailer.uses"]}
    return {"secret_service_items": some(chance, items) or items}


def findings(chance: Random) -> list[dict[str, Any]]:
    checks = [("ssh.keys", "high"), ("disk.room", "medium"), ("clock.set", "low")]
    return [
        {"id": name, "severity": severity, "subject": NAME, "verdict": chance.choice(VERDICTS), "evidence": "seen", "remedy": "mend"}
        for name, severity in some(chance, checks)
    ]


def weighed(chance: Random) -> dict[str, Any]:
    return {
        "findings_found": findings(chance),
        "findings_fact": "host_result",
        "findings_fail_on": chance.choice(["never", "never", "high", "info"]),
        **maybe(chance, findings_more=[{"container": True}], findings_waivers=[WAIVERS], findings_unknown_fails=[False]),
    }


def page(chance: Random) -> dict[str, Any]:
    """Of what the inventory says was found; one that nobody told is a failure."""
    expected = [{"hosts": [NAME], "fact": FACT, "key": key} for key in some(chance, ["well", "ill", "untold"])]
    more = maybe(chance, findings_waivers=[WAIVERS], findings_unknown_fails=[False], findings_folder=["/srv/page"])
    return {"findings_expected": expected, "findings_formats": ["json"], "findings_fail_on": chance.choice(["never", "high"]), **more}


def quiet(chance: Random) -> dict[str, Any]:
    return {**page(chance), "findings_fail_on": "never", "findings_folder": "/srv/page"}


HOST, TIMERS = frozenset({"host"}), frozenset({"timers"})

# On a host with two services of its own, and an upgrade that is published whenever it is to be patched.
HOST_VERBS = [
    *(Verb("host", "main", host, gives=HOST) for _time in range(3)),
    *(Verb("host", "maintain", lambda chance: {"host_reboot": chance.choice(["needed", "always", "never"])}, needs=HOST) for _time in range(2)),
    Verb("host", "audit", audit, needs=HOST),
    Verb("host", "diagnose", lambda chance: maybe(chance, host_diagnose_disk_percent=[1], host_diagnose_load=[0.01])),
    *(Verb("maintenance", "main", maintenance, gives=TIMERS) for _time in range(3)),
    Verb("maintenance", "maintain", lambda chance: {"maintenance_run": some(chance, ["speaks", "points"]) or ["speaks"]}, needs=TIMERS),
    Verb("maintenance", "audit", nothing),
    Verb("maintenance", "remove", nothing, takes=TIMERS),
    *(Verb("secret_service", "main", services) for _time in range(3)),
    Verb("findings", "main", weighed),
    Verb("findings", "main", lambda chance: {**weighed(chance), "findings_fail_on": "never"}),
    *(Verb("findings", verb, variables) for verb in ("audit", "diagnose") for variables in (page, quiet)),
]
