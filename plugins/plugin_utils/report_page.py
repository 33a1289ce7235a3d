# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one page that needs nothing but itself. Knows no Ansible; the template escapes everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader

TITLES = {
    "provision": "Provision the cloud",
    "host": "Prepare the hosts",
    "deploy": "Deploy the application",
    "backup": "Back the database up",
    "restore": "Restore and compare",
    "rotate": "Rotate the password",
    "maintain": "Schedule maintenance",
}
Report = Mapping[str, Any]


def render(report: Report) -> str:
    """The page of a report."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=ChainableUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["duration"] = duration
    failures = [{"step": step["name"], **failure} for step in report["steps"] for failure in step["failures"]]
    unfinished = [step["name"] for step in report["steps"] if step.get("unfinished")]
    proofs = report.get("proofs", [])
    return environment.get_template("report.html.j2").render(
        report=report,
        titles=TITLES,
        failures=failures,
        unfinished=unfinished,
        proofs=proofs,
        good=not failures and not unfinished and all(proof["holds"] for proof in proofs),
        changed=sum(step["changed"] for step in report["steps"]),
        total=max([report["seconds"], *(step["offset"] + step["seconds"] for step in report["steps"])]) or 1,
        picture=picture(report),
        releases=list(_releases(report)),
        restores=list(_facts(report, "restore", "postgresql_result")),
        backups=list(_facts(report, "backup", "postgresql_result")),
        secrets=[
            (name, secret) for _host, result in _facts(report, "rotate", "secret_result") for name, secret in result.items() if isinstance(secret, Mapping)
        ],
    )


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def picture(report: Report) -> dict[str, Any]:
    """What was built, as columns of boxes: the hosts that serve, and what they use."""
    releases = {item["host"]: item["release"] for item in _releases(report)}
    hosts = list(dict.fromkeys(host for step in report["steps"] if step["name"] in ("host", "deploy") for host in step["hosts"]))
    provisioned = {
        name: [fact for _host, fact in _facts(report, "provision", f"{name}_result")] for name in ("droplet", "managed_database", "backup_repository")
    }
    addresses = {droplet["name"]: droplet["public_address"] or "" for fact in provisioned["droplet"] for droplet in fact["droplets"]}
    left = [{"kind": "Droplet", "name": host, "note": addresses.get(host, ""), "release": releases.get(host, "")} for host in hosts or addresses]
    right = [
        {"kind": "Managed database", "name": name, "note": f"{cluster['engine']} {cluster['version'] or ''}".strip()}
        for fact in provisioned["managed_database"]
        for name, cluster in fact["clusters"].items()
    ]
    buckets = [fact["bucket"] for fact in provisioned["backup_repository"]]
    saved = [result for _host, result in _facts(report, "backup", "postgresql_result") if result.get("backup_id")]
    right += [{"kind": "Bucket", "name": name, "note": "backups"} for name in buckets or (["backups"] if saved else [])]
    rows = max(len(left), len(right), 1)
    for column in (left, right):
        for row, box in enumerate(column):
            box["y"] = 20 + (row + (rows - len(column)) / 2) * 96
    return {"hosts": left, "services": right, "height": rows * 96 + 24}


def _facts(report: Report, step: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(host, fact) for each host that answered with the fact in the step."""
    for one in report["steps"]:
        if one["name"] == step:
            yield from ((host, facts[name]) for host, facts in one["facts"].items() if isinstance(facts.get(name), Mapping) and facts[name])


def _releases(report: Report) -> Iterator[dict[str, Any]]:
    for host, result in _facts(report, "deploy", "compose_app_result"):
        serving = result.get("serving") or {}
        yield {"host": host, "asked": result.get("release") or "", "release": serving.get("release") or "", "verdict": result.get("verdict") or ""}
