# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the overview says, and that an absent backup is as visible as a broken one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import finding
from ansible_collections.groundcrew.ops.plugins.module_utils._backup import cli, options, overview, policy, report, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import Catalogue
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Hold, Identity, Verification
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.retain import decide
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.retention import Keep
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from tests.unit.plugins.module_utils._backup.shelf import DAY, SIGNER, Moved, Shelf, stock

APP = Identity("postgresql", "1", "app")
NOW = Moved().now()
ROOT = Path(__file__).resolve().parents[5]


def catalogue_of(shelf):
    return Catalogue(shelf, SIGNER, "")


def look(shelf, limits=None, keep=None, identity=APP):
    catalogue = catalogue_of(shelf)
    entries = catalogue.entries(identity)
    decisions = decide(entries, keep or Keep(), NOW)
    part = overview.database(identity, entries, decisions, catalogue.orphans(identity), NOW, limits or overview.Limits())
    return {"at": policy.timestamp(NOW), "backups": part["rows"], "databases": [part["line"]], "findings": part["findings"]}


def failing(seen):
    return {one["id"] for one in seen["findings"] if one["verdict"] == "fail"}


@pytest.fixture
def seen():
    """Three backups, of which the newest is not proven; the one before it is held; and what a killed run left."""
    shelf = Shelf()
    stock(shelf, APP, NOW - 40 * DAY, seconds=30)
    middle = stock(shelf, APP, NOW - 1.5 * DAY, seconds=12.5)
    newest = stock(shelf, APP, NOW - 3600, verdict=None)
    catalogue = catalogue_of(shelf)
    catalogue.hold(APP, Hold(middle, "audit | <b>", "ann", policy.timestamp(NOW), None))
    catalogue.record(APP, Verification(newest, policy.moment(NOW - 60), "V6", "unverified", ("no server",), 1.0))
    shelf.put(f"{policy.home('', APP)}20270101T000000Z-00000001/data/toc.dat", b"left")
    return look(shelf)


def test_it_says_what_can_be_restored_to_when_how_long_it_takes_and_how_that_is_known(seen):
    line = seen["databases"][0]
    assert (line["backups"], line["proven"], line["held"], line["orphans"], line["orphan_bytes"]) == (3, 2, 1, 1, 4)
    assert line["newest"]["age_seconds"] == 3600
    assert line["newest_proven"]["age_seconds"] == round(1.5 * DAY)
    assert line["last_drill"]["restore_seconds"] == 12.5
    old, middle, newest = seen["backups"]
    assert [one["expected_restore_seconds"] for one in (old, middle, newest)] == [12.5] * 3, "as long as the last drill, for the same size"
    assert (old["restore_seconds"], newest["restore_seconds"]) == (30, None)
    assert middle["hold"] == {"reason": "audit | <b>", "owner": "ann", "until": None}
    assert (newest["level"], newest["verdict"]) == ("unverified", "unverified")
    assert "could not run: no server" in newest["evidence"]
    assert "equal to its truth (V5)" in middle["evidence"]
    assert middle["duration_seconds"] == 60
    assert old["retention"]["keep"], "the newest is not proven"
    assert failing(seen) == {"backup.leftovers"}


@pytest.mark.parametrize(
    ("newest", "proven", "wrong"),
    [
        (0.5, 0.5, set()),
        (0.5, 3, {"backup.proven_age"}),
        (2, 2, {"backup.newest_age"}),
        (9, None, {"backup.newest_age", "backup.proven_age", "backup.drill_age"}),
    ],
)
def test_an_absent_success_is_a_finding(newest, proven, wrong):
    shelf = Shelf()
    if proven is not None and proven != newest:
        stock(shelf, APP, NOW - proven * DAY)
    stock(shelf, APP, NOW - newest * DAY, verdict="equal" if proven == newest else None)
    assert failing(look(shelf)) == wrong


@pytest.mark.parametrize(
    ("days", "limit", "verdict", "told"),
    [
        (99, 100, "pass", "99 days ago; the limit is 100"),
        (101, 100, "fail", "101 days ago; the limit is 100"),
        (None, 100, "fail", "there was none"),
        (None, 0, None, ""),
    ],
)
def test_a_drill_that_is_too_long_ago_is_a_finding(days, limit, verdict, told):
    shelf = Shelf()
    stock(shelf, APP, NOW - (days or 0) * DAY, verdict="equal" if days else None)
    found = {one["id"]: one for one in look(shelf, overview.Limits(drill_days=limit))["findings"]}.get("backup.drill_age")
    assert (found and found["verdict"]) == verdict and told in (found["evidence"] if found else "")


def test_a_drill_is_expected_each_quarter_unless_it_is_said_otherwise():
    assert overview.Limits().drill_days == options.LIMITS["drill_days"]["default"] == 100


def test_damage_a_slow_drill_and_a_missing_drill_are_told():
    shelf = Shelf()
    backup_id = stock(shelf, APP, NOW, seconds=900)
    slow = look(shelf, overview.Limits(restore_minutes=10))
    assert failing(slow) == {"backup.restore_time"}
    shelf.objects.pop(f"{policy.home('', APP)}{backup_id}/data/toc.dat")
    assert failing(look(shelf)) == {"backup.newest_age", "backup.proven_age", "backup.whole"}
    never = Shelf()
    stock(never, APP, NOW, verdict=None)
    verdicts = {one["id"]: one["verdict"] for one in look(never, overview.Limits(restore_minutes=10))["findings"]}
    assert verdicts["backup.restore_time"] == "unknown"


def test_every_finding_has_the_shape_of_an_audit(seen):
    assert [finding(one).id for one in seen["findings"]] == [
        "backup.newest_age",
        "backup.proven_age",
        "backup.whole",
        "backup.drill_age",
        "backup.leftovers",
    ]


def test_the_table_survives_odd_names_and_reasons(seen):
    text = report.markdown(seen)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {len(report.SUMMARY) + 1, len(report.COLUMNS) + 1}
    odd = {**seen, "backups": [{**one, "database": "<script>"} for one in seen["backups"]]}
    assert "<script>" not in report.html(odd) and "&lt;script&gt;" in report.html(odd)
    assert json.loads(report.as_json(seen)) == seen


def test_metrics_parse_and_are_times_not_ages(seen):
    odd = {**seen, "databases": [{**seen["databases"][0], "database": 'a"b\\c\nd'}]}
    text = report.prometheus(odd)
    line = re.compile(r'(#.*|groundcrew_backup_\w+(\{(\w+="([^"\\\n]|\\["\\n])*",?)+\})? -?\d+(\.\d+)?)')
    assert all(line.fullmatch(one) for one in text.splitlines()), text
    metrics = dict(one.rsplit(" ", 1) for one in report.prometheus(seen).splitlines() if not one.startswith("#"))
    label = '{engine="postgresql",system_id="1",database="app"}'
    assert float(metrics[f"groundcrew_backup_newest_proven_timestamp_seconds{label}"]) == NOW - 1.5 * DAY
    assert float(metrics[f"groundcrew_backup_newest_level{label}"]) == 0
    assert float(metrics[f"groundcrew_backup_restore_seconds{label}"]) == 12.5
    assert metrics[f"groundcrew_backup_findings{label}"] == "1"
    empty = Shelf()
    empty.put(f"{policy.home('', APP)}failed/x.json", b"{}")
    none = dict(one.rsplit(" ", 1) for one in report.prometheus(look(empty)).splitlines() if not one.startswith("#"))
    assert float(none[f"groundcrew_backup_newest_timestamp_seconds{label}"]) == 0


def test_the_report_of_the_command_line_fails_when_something_is_wrong_and_is_written_all_the_same(tmp_path, monkeypatch):
    shelf = Shelf()
    monkeypatch.setattr(upkeep, "catalogue", lambda _params: catalogue_of(shelf))
    operation = upkeep.Reporting({"database": "app", "report_dir": str(tmp_path / "report")})
    with pytest.raises(OpsError, match="There is a proven backup that is young enough: no, it was never backed up"):
        operation.apply(operation.plan())
    never = (tmp_path / "report" / "groundcrew_backup_postgresql-app-report.prom").read_text()
    assert 'groundcrew_backup_newest_proven_timestamp_seconds{engine="postgresql",system_id="",database="app"} 0.0' in never
    assert 'groundcrew_backup_findings{engine="postgresql",system_id="",database="app"} 1' in never
    stock(shelf, APP, upkeep.Clock().now() - 20 * DAY)
    with pytest.raises(OpsError, match="There is a backup that is young enough: no, it was taken at"):
        operation.apply(operation.plan())
    assert {path.name.rpartition(".")[2] for path in (tmp_path / "report").iterdir()} == {"json", "md", "html", "prom"}
    stock(shelf, APP, upkeep.Clock().now())
    assert operation.apply(operation.plan())["report"]["databases"][0]["proven"] == 2


def test_each_metric_of_the_alerts_is_one_that_is_written(seen, tmp_path, monkeypatch):
    rules = yaml.safe_load((ROOT / "docs/operations/backup-alerts.yml").read_text())["groups"][0]["rules"]
    wanted = {metric for rule in rules for metric in re.findall(r"groundcrew_backup_\w+", rule["expr"])}
    monkeypatch.setitem(cli.OPERATIONS, "backup", lambda _params: upkeep.Reporting({"report_dir": str(tmp_path)}))
    with pytest.raises(OpsError):
        cli.run("backup", {"login_db": "app"}, tmp_path)
    written = report.prometheus(seen) + (tmp_path / "groundcrew_backup_postgresql-app-backup.prom").read_text()
    assert len(wanted) == 5
    assert wanted <= set(re.findall(r"(?m)^(groundcrew_backup_\w+)\{", written))
