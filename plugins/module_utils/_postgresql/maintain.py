# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VACUUM, ANALYZE and REINDEX CONCURRENTLY for what needs it, as measured, while others work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

try:
    from psycopg2 import sql
except ImportError:
    sql = None  # type: ignore[assignment]

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.bloat import Act, Index, Limits, Table, decide, shown
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.connection import from_params
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.measure import Measure
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.quiet import GaveWay, Quiet

LIMITS: dict[str, dict[str, Any]] = {
    "max_dead_percent": {"type": "float", "default": 20.0},
    "max_changed_percent": {"type": "float", "default": 10.0},
    "max_age_percent": {"type": "float", "default": 75.0},
    "max_bloat_percent": {"type": "float", "default": 40.0},
    "min_changed_rows": {"type": "int", "default": 10_000},
    "min_mib": {"type": "float", "default": 8.0},
    "max_wait_ms": {"type": "int", "default": 1000},
    "patience": {"type": "int", "default": 60},
}
ATTEMPTS = 3
MENDS = {"VACUUM": "dead_percent", "FREEZE": "age_percent", "ANALYZE": "changed_percent", "REINDEX": "bloat_percent"}


class Maintenance:
    """An operation on one database."""

    def __init__(self, params: Mapping[str, Any], clock: Clock | None = None) -> None:
        given = {name: params.get(name, option["default"]) for name, option in LIMITS.items()}
        self._connection = from_params(params)
        self._limits = Limits(
            given["max_dead_percent"],
            given["max_changed_percent"],
            given["min_changed_rows"],
            given["max_age_percent"],
            given["max_bloat_percent"],
            given["min_mib"],
        )
        if given["max_wait_ms"] < 100:
            raise OpsError(f"max_wait_ms is {given['max_wait_ms']}: below 100 a look who waits takes as long as the wait.")
        self._max_wait, self._patience = given["max_wait_ms"] / 1000, given["patience"]
        self._clock = clock or Clock()
        self._acts: list[Act] = []
        self._left: list[str] = []
        self._by = ""

    def plan(self) -> Plan:
        with self._quiet() as quiet:
            tables, indexes, self._acts, self._left, _holder = self._measured(quiet)
        figures = _figures(tables, indexes)
        before = {shown(act.target): figures[shown(act.target)] for act in self._acts}
        after = {shown(act.target): _afterwards(act, figures[shown(act.target)]) for act in self._acts if "DROP" not in act.words}
        return Plan("maintain" if self._acts else "none", before, after, tuple(str(act) for act in self._acts))

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        failed: list[str] = []
        with self._quiet() as quiet:
            for act in self._acts:
                try:
                    self._do(quiet, act)
                except GaveWay as gave_way:
                    failed.append(f"{act} - given up {ATTEMPTS} times: {gave_way.message}")
                except Exception as error:
                    if getattr(error, "pgcode", None) is None:
                        raise
                    failed.append(f"{act} - {' '.join(str(error).split())}")
            self._sweep(quiet)
        done = {**self.result(planned), "longest_wait_ms": round(1000 * quiet.longest)}
        if failed:
            raise OpsError(
                f"{len(failed)} of {len(self._acts)} statements did not work out: {'; '.join(failed)}. Run again when less goes on; what was done is done.",
                **done,
            )
        return done

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return {"statements": list(planned.steps), "left": self._left, "measured_by": self._by, "longest_wait_ms": 0}

    @contextmanager
    def _quiet(self) -> Iterator[Quiet]:
        quiet = Quiet(self._connection, self._max_wait, self._patience, self._clock)
        with quiet.alone():
            yield quiet

    def _do(self, quiet: Quiet, act: Act) -> None:
        statement = sql.SQL(act.words).format(sql.Identifier(*act.target))
        for attempt in range(1, ATTEMPTS + 1):
            try:
                quiet.run(statement, waits="CONCURRENTLY" in act.words)
                return
            except GaveWay:
                if attempt == ATTEMPTS:
                    raise
                self._sweep(quiet)
                self._clock.sleep(self._max_wait * attempt)

    def _sweep(self, quiet: Quiet) -> None:
        """Remove what a REINDEX that was given up left, and see what is still over a limit, and why."""
        try:
            _tables, _indexes, acts, self._left, holder = self._measured(quiet)
        except GaveWay as gave_way:
            self._left = [f"What is left was not measured. {gave_way.message}"]
            return
        for act in (each for each in acts if "DROP" in each.words):
            try:
                quiet.run(sql.SQL(act.words).format(sql.Identifier(*act.target)), waits=True)
            except GaveWay as gave_way:
                self._left.append(f"{act} - {gave_way.message}")
        because = f" - rows stay because of {holder}." if holder else ""
        self._left += [f"{act}{because}" for act in acts if "VACUUM" in act.words]

    def _measured(self, quiet: Quiet) -> tuple[list[Table], list[Index], list[Act], list[str], str | None]:
        if quiet.run("SELECT pg_is_in_recovery()")[0][0]:
            raise OpsError(f"{self._connection.host} is a standby: VACUUM and REINDEX are done on its primary.")
        measure = Measure(quiet, self._limits)
        self._by = measure.by
        tables, indexes = measure.all()
        return tables, indexes, *decide(tables, indexes, self._limits), measure.holder()


def _figures(tables: list[Table], indexes: list[Index]) -> dict[str, dict[str, Any]]:
    of_tables = {
        shown(each.name): {
            "mib": each.bytes // 2**20,
            "dead_percent": round(each.dead_percent, 1),
            "changed_percent": round(each.changed_percent, 1),
            "age_percent": round(each.age_percent, 1),
        }
        for each in tables
    }
    return {**of_tables, **{shown(each.name): {"mib": each.bytes // 2**20, "bloat_percent": round(each.bloat_percent, 1)} for each in indexes}}


def _afterwards(act: Act, figures: Mapping[str, Any]) -> dict[str, Any]:
    """What is meant to be; what is measured then depends on who writes meanwhile."""
    mended = {field for word, field in MENDS.items() if word in act.words}
    return {name: 0 if name in mended else value for name, value in figures.items()}
