# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' text format: what an application has counted, and what came since."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

_LINE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Totals:
    """What was counted. buckets: answers that took at most so many seconds, by that limit; cumulative, as the format has them."""

    requests: float = 0.0
    errors: float = 0.0
    buckets: Mapping[float, float] = field(default_factory=dict)

    def quantile(self, share: float) -> float | None:
        """Seconds within which that share of the answers came, as Prometheus estimates it; None without a histogram."""
        limits = sorted(self.buckets)
        count = self.buckets[limits[-1]] if limits else 0.0
        if not count:
            return None
        wanted, below, before = share * count, 0.0, 0.0
        for limit in limits:
            if self.buckets[limit] >= wanted:
                return below if limit == float("inf") else below + (limit - below) * (wanted - before) / max(self.buckets[limit] - before, 1e-9)
            below, before = limit, self.buckets[limit]
        return below


def totals(text: str, requests: str, status_label: str, duration: str) -> Totals:
    """The sums over all series of an application. Raises OpsError where the counter of requests is missing."""
    counted, errors, found = 0.0, 0.0, False
    buckets: dict[float, float] = {}
    for name, labels, value in _series(text):
        if name == requests:
            found = True
            counted += value
            errors += value if labels.get(status_label, "").startswith("5") else 0.0
        elif name == f"{duration}_bucket":
            limit = float(labels.get("le", "inf"))
            buckets[limit] = buckets.get(limit, 0.0) + value
    if not found and f"# TYPE {requests} " not in text:
        raise OpsError(f"the application's metrics have no {requests}")
    return Totals(counted, errors, buckets)


def since(before: Mapping[int, Totals], after: Mapping[int, Totals]) -> Totals:
    """What all replicas together have counted in between; one that began anew is counted from its start."""
    fresh = [_minus(now, before.get(port, Totals())) for port, now in after.items()]
    limits = {limit for each in fresh for limit in each.buckets}
    buckets = {limit: sum(each.buckets.get(limit, 0.0) for each in fresh) for limit in limits}
    return Totals(sum(each.requests for each in fresh), sum(each.errors for each in fresh), buckets)


def _minus(after: Totals, before: Totals) -> Totals:
    if after.requests < before.requests:
        return after
    buckets = {limit: count - before.buckets.get(limit, 0.0) for limit, count in after.buckets.items()}
    return Totals(after.requests - before.requests, after.errors - before.errors, buckets)


def _series(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for line in text.splitlines():
        matched = _LINE.fullmatch(line.strip())
        if matched:
            name, labels, value = matched.groups()
            try:
                yield name, dict(_LABEL.findall(labels or "")), float(value)
            except ValueError:
                continue
