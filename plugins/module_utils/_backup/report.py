# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The overview for people and for Prometheus. Pure: an overview in, text out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.overview import subject

Overview = Mapping[str, Any]
COLUMNS = ("database", "backup", "taken", "size", "level", "restore takes", "how it is known", "retention")
SUMMARY = ("database", "newest", "newest proven", "backups", "last drill", "left over")
UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def as_json(overview: Overview) -> str:
    return json.dumps(overview, indent=2, sort_keys=True) + "\n"


def markdown(overview: Overview) -> str:
    def table(columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> list[str]:
        # A bar in a name would be a new column.
        cells = [columns, tuple("---" for _column in columns), *rows]
        return ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in cells]

    wrong = [f"- **{one['severity']}** {one['title']} ({one['subject']}): {one['evidence']}. {one['remedy']}" for one in _failing(overview)]
    lines = [f"# Backups at {overview['at']}", "", *(wrong or ["Nothing is wrong."]), "", *table(SUMMARY, _summary(overview))]
    return "\n".join([*lines, "", *table(COLUMNS, _rows(overview)), ""])


def html(overview: Overview) -> str:
    """One page that needs nothing else."""

    def table(caption: str, columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
        head = "".join(f'<th scope="col">{column}</th>' for column in columns)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
        return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>\n"

    wrong = "".join(
        f"<li>{escape(one['title'])} ({escape(one['subject'])}): {escape(one['evidence'])}. {escape(one['remedy'])}</li>" for one in _failing(overview)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Backups</title><style>'
        "body{font:1rem/1.5 system-ui,sans-serif;margin:2rem}table{border-collapse:collapse;margin-bottom:2rem}caption{text-align:left;font-weight:bold}"
        "th,td{text-align:left;vertical-align:top;padding:.3rem .8rem;border-bottom:1px solid #888}</style></head>"
        f"<body><main><h1>Backups at {overview['at']}</h1>{f'<ul>{wrong}</ul>' if wrong else '<p>Nothing is wrong.</p>'}"
        f"{table('Databases', SUMMARY, _summary(overview))}{table('Backups', COLUMNS, _rows(overview))}</main></body></html>\n"
    )


def prometheus(overview: Overview) -> str:
    """For node_exporter's textfile collector. Times, not ages: an age would stand still when the report does."""
    at, failing = policy.seconds(overview["at"]), _failing(overview)
    of_report: tuple[tuple[str, str, Callable[[Overview], float | None]], ...] = (
        ("findings", "How many checks failed.", lambda one: sum(finding["subject"] == subject(one) for finding in failing)),
        ("report_timestamp_seconds", "When this was read.", lambda _one: at),
    )
    lines: list[str] = []
    for name, told, value in (*METRICS, *of_report):
        lines += [f"# HELP groundcrew_backup_{name} {told}", f"# TYPE groundcrew_backup_{name} gauge"]
        for one in overview["databases"]:
            number = value(one)
            named = labels(engine=one["engine"], system_id=one["system_id"], database=one["database"])
            lines += [] if number is None else [f"groundcrew_backup_{name}{named} {round(number, 3)}"]
    return "\n".join([*lines, ""])


def labels(**named: str) -> str:
    """What tells one series from another, as Prometheus reads it."""
    return "{" + ",".join(f'{name}="{_quoted(value)}"' for name, value in named.items()) + "}"


def _of(point: str, field: str) -> Callable[[Overview], float | None]:
    return lambda one: one[point][field] if one[point] else None


def _taken(point: str) -> Callable[[Overview], float]:
    return lambda one: policy.seconds(one[point]["taken_at"]) if one[point] else 0.0


METRICS: tuple[tuple[str, str, Callable[[Overview], float | None]], ...] = (
    ("newest_timestamp_seconds", "When the newest backup was taken, 0 when there is none.", _taken("newest")),
    ("newest_proven_timestamp_seconds", "When the newest proven backup was taken, 0 when there is none.", _taken("newest_proven")),
    ("newest_size_bytes", "The size of the newest backup.", _of("newest", "bytes")),
    ("newest_duration_seconds", "How long the newest backup took.", _of("newest", "duration_seconds")),
    ("newest_level", "What is proven of the newest backup, from 1 to 7, 0 for nothing.", lambda one: _level(one["newest"])),
    ("restore_seconds", "How long the restore of the last drill took.", _of("last_drill", "restore_seconds")),
    ("backups", "How many backups there are.", lambda one: one["backups"]),
    ("backups_proven", "How many of them are proven.", lambda one: one["proven"]),
    ("backups_damaged", "How many of them cannot be restored.", lambda one: one["damaged"]),
    ("backups_held", "How many of them a hold keeps.", lambda one: one["held"]),
    ("backups_removable", "How many of them no rule keeps.", lambda one: one["removable"]),
    ("size_bytes", "The size of all backups.", lambda one: one["bytes"]),
    ("orphans", "What is left of runs that were killed, or is under way.", lambda one: one["orphans"]),
    ("orphan_bytes", "The size of that.", lambda one: one["orphan_bytes"]),
)
FORMATS: dict[str, Callable[[Overview], str]] = {"json": as_json, "markdown": markdown, "html": html, "prometheus": prometheus}
ENDINGS = {"json": "json", "markdown": "md", "html": "html", "prometheus": "prom"}


def size(number: float | None) -> str:
    if number is None:
        return "unknown"
    return next((f"{number / factor:.1f} {unit}" for unit, factor in UNITS if number >= factor), f"{number:.0f} B")


def span(seconds: float | None) -> str:
    """A duration as people say it."""
    if seconds is None:
        return "unknown"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172800 else f"{seconds / 86400:.0f} d"


def _failing(overview: Overview) -> list[Mapping[str, Any]]:
    return [one for one in overview["findings"] if one["verdict"] == "fail"]


def _summary(overview: Overview) -> Iterator[tuple[str, ...]]:
    for one in overview["databases"]:
        newest, proven = (f"{p['taken_at']} ({span(p['age_seconds'])} ago)" if p else "none" for p in (one["newest"], one["newest_proven"]))
        drill = one["last_drill"]
        drilled = f"{span(drill['restore_seconds'])}, at {drill['at']}" if drill else "none"
        counted = f"{one['backups']}, {one['proven']} proven, {one['held']} held, {one['removable']} to remove"
        yield one["database"], newest, proven, counted, drilled, f"{one['orphans']} runs, {size(one['orphan_bytes'])}"


def _rows(overview: Overview) -> Iterator[tuple[str, ...]]:
    """The newest first: that is what somebody in trouble looks for."""
    for one in reversed(overview["backups"]):
        kept = one["retention"]
        retained = f"{'stays' if kept['keep'] else 'goes'}: {kept['reason']}" if kept else ""
        takes = span(one["expected_restore_seconds"])
        yield one["database"], one["backup_id"], one["taken_at"] or "unknown", size(one["bytes"]), one["level"], takes, one["evidence"], retained


def _level(point: Mapping[str, Any] | None) -> float:
    return float(point["level"][1:]) if point and point["level"].startswith("V") else 0.0


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
