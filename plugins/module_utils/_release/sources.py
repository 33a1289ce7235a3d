# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else can tell the gate how a release does: the application's own metrics, a query to Prometheus, alarms of CloudWatch.

A source that cannot be read is inconclusive, with the reason in words: the gate fails for lack of data and shows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlencode

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release.exposition import Totals, since, totals
from ansible_collections.groundcrew.ops.plugins.module_utils._release.gate import Gate, Look, Source
from ansible_collections.groundcrew.ops.plugins.module_utils._release.probe import read_text
from ansible_collections.groundcrew.ops.plugins.module_utils._release.registry import Client, Connect


@dataclass(frozen=True)
class Metrics:
    """Where an application shows its metrics in Prometheus' text format, and what it calls them."""

    path: str = "/metrics"
    requests: str = "http_requests_total"
    status_label: str = "status"
    duration: str = "http_request_duration_seconds"


class ApplicationMetrics:
    """What each replica of the new slot counts itself: answers by status, and a histogram of their time."""

    name = "the application's metrics"

    def __init__(self, gate: Gate, metrics: Metrics, ports: Sequence[int], read: Callable[[int, str], str] = read_text) -> None:
        self._gate = gate
        self._metrics = metrics
        self._ports = ports
        self._read = read
        self._baseline: dict[int, Totals] = {}

    def begin(self) -> None:
        try:
            self._baseline = self._totals()
        except OpsError:  # the first look says so
            self._baseline = {}

    def look(self) -> Look:
        try:
            now = self._totals()
        except OpsError as error:
            return Look(None, error.message)
        fresh = since(self._baseline, now)
        rate = 100.0 * fresh.errors / max(fresh.requests, 1)
        p95 = fresh.quantile(0.95)
        milliseconds = None if p95 is None else round(p95 * 1000, 1)
        seen = {"requests": fresh.requests, "errors": fresh.errors, "p95_ms": milliseconds}
        said = f"{fresh.requests:g} answers, {fresh.errors:g} failed, 95th percentile {'unknown' if milliseconds is None else f'{milliseconds:g} ms'}"
        if fresh.requests < self._gate.requests:
            return Look(None, said, seen)
        self._baseline = now
        if rate > self._gate.error_rate:
            return Look(f"{rate:.1f} % of the answers failed by the application's own count, more than {self._gate.error_rate:g} %", said, seen)
        if milliseconds is not None and milliseconds > self._gate.response_ms:
            return Look(f"answers took {milliseconds:.0f} ms by the application's own count, more than {self._gate.response_ms:g} ms", said, seen)
        return Look("", said, seen)

    def _totals(self) -> dict[int, Totals]:
        of = self._metrics
        return {port: totals(self._read(port, of.path), of.requests, of.status_label, of.duration) for port in self._ports}


@dataclass(frozen=True)
class Query:
    """A question to a Prometheus server, and what its answer has to be. With several series each has to be so."""

    url: str
    query: str
    maximum: float | None = None
    minimum: float | None = None
    token: str | None = None


class PrometheusQuery:
    """One query, asked anew at each look."""

    def __init__(self, query: Query, connect: Connect) -> None:
        self.name = f"Prometheus at {query.url}, {query.query}"
        self._query = query
        self._client: Client = connect(query.url, {"Authorization": f"Bearer {query.token}"} if query.token else {})

    def begin(self) -> None:
        """A query says itself over which time it looks."""

    def look(self) -> Look:
        try:
            answer = self._client.request("GET", f"/api/v1/query?{urlencode({'query': self._query.query})}")
            values = _values(answer.body)
        except OpsError as error:
            return Look(None, error.message)
        if not values:
            return Look(None, "the query has no result")
        seen = {"values": values}
        query, said = self._query, ", ".join(f"{value:g}" for value in values)
        if query.maximum is not None and max(values) > query.maximum:
            return Look(f"{query.query} is {max(values):g}, more than {query.maximum:g}", said, seen)
        if query.minimum is not None and min(values) < query.minimum:
            return Look(f"{query.query} is {min(values):g}, less than {query.minimum:g}", said, seen)
        return Look("", said, seen)


def _values(body: Any) -> list[float]:
    """The numbers of an answer; what is not a number tells nothing."""
    data = body.get("data") if isinstance(body, Mapping) and body.get("status") == "success" else None
    if not isinstance(data, Mapping):
        raise OpsError(f"Prometheus did not answer the query: {(body or {}).get('error') or 'what answered is no Prometheus'}")
    kind, result = data.get("resultType"), data.get("result") or []
    if kind not in ("vector", "scalar"):
        raise OpsError(f"The query gives a {kind}; the gate needs one number for each series.")
    pairs = [result] if kind == "scalar" else [row["value"] for row in result]
    numbers = [float(value) for _at, value in pairs]
    return [] if any(math.isnan(number) for number in numbers) else numbers


def make_gate(given: Mapping[str, Any]) -> Gate:
    """The gate's own settings of a task's option ``gate``."""
    return Gate(**{each.name: given[each.name] for each in fields(Gate)})


def make_sources(given: Mapping[str, Any], connect: Connect | None, ports: Sequence[int]) -> list[Source]:
    """What a task's option ``gate`` names beside the proxy. ports: of the replicas that are looked at."""
    found: list[Source] = []
    if given["metrics"]:
        found.append(ApplicationMetrics(make_gate(given), Metrics(**given["metrics"]), ports))
    if connect:
        found += [PrometheusQuery(Query(**each), connect) for each in given["prometheus"]]
    if given["cloudwatch"]:
        # It loads botocore, which takes a second that no other gate should take.
        from ansible_collections.groundcrew.ops.plugins.module_utils._release.alarms import Alarms, CloudwatchAlarms

        options = given["cloudwatch"]
        found.append(CloudwatchAlarms(Alarms(tuple(options["alarms"]), options["region"], options["endpoint_url"])))
    return found
