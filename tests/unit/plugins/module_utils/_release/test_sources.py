# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells the gate beside the proxy: metrics of the application, Prometheus, CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release import alarms
from ansible_collections.groundcrew.ops.plugins.module_utils._release.alarms import Alarms, CloudwatchAlarms
from ansible_collections.groundcrew.ops.plugins.module_utils._release.exposition import totals
from ansible_collections.groundcrew.ops.plugins.module_utils._release.gate import Gate, Look, Watch
from ansible_collections.groundcrew.ops.plugins.module_utils._release.sources import (
    ApplicationMetrics,
    Metrics,
    PrometheusQuery,
    Query,
)
from tests.unit.plugins.module_utils._release.worlds import ManualClock


def exposed(good: int, bad: int, fast: int, slow: int) -> str:
    """Answers by status and by time."""
    return f"""# HELP http_requests_total Answers.
# TYPE http_requests_total counter
http_requests_total{{route="/a\\"b",status="200"}} {good} 1700000000000
http_requests_total{{route="/a\\"b",status="503"}} {bad}
http_request_duration_seconds_bucket{{le="0.1"}} {fast}
http_request_duration_seconds_bucket{{le="1"}} {fast + slow}
http_request_duration_seconds_bucket{{le="+Inf"}} {fast + slow}
"""


class Replica:
    """What a port shows, and fails to show."""

    def __init__(self) -> None:
        self.text: dict[int, str] = {1: exposed(0, 0, 0, 0), 2: exposed(0, 0, 0, 0)}

    def read(self, port: int, path: str) -> str:
        assert path == "/metrics"
        if port not in self.text:
            raise OpsError(f"/metrics on 127.0.0.1:{port} gave HTTP 404")
        return self.text[port]


@pytest.mark.parametrize(
    ("first", "second", "objection"),
    [
        ((100, 0, 100, 0), (100, 0, 100, 0), ""),
        ((5, 0, 5, 0), (4, 0, 4, 0), None),
        ((100, 10, 110, 0), (100, 4, 104, 0), "6.5 % of the answers failed by the application's own count, more than 5 %"),
        ((100, 0, 0, 100), (0, 0, 0, 0), "answers took 955 ms by the application's own count, more than 500 ms"),
    ],
)
def test_the_application_s_own_count(first: Any, second: Any, objection: str | None) -> None:
    replica = Replica()
    source = ApplicationMetrics(Gate(), Metrics(), (1, 2), replica.read)
    source.begin()
    replica.text = {1: exposed(*first), 2: exposed(*second)}
    assert source.look().objection == objection
    # What was told is not told again; what told nothing adds up.
    assert source.look().objection is None


def test_what_an_application_counted_before_is_not_the_release_s() -> None:
    replica = Replica()
    replica.text = {1: exposed(0, 1000, 1000, 0), 2: exposed(0, 0, 0, 0)}
    source = ApplicationMetrics(Gate(), Metrics(), (1, 2), replica.read)
    source.begin()
    replica.text[1] = exposed(50, 1000, 1050, 0)
    assert source.look() == Look("", "50 answers, 0 failed, 95th percentile 95 ms", {"requests": 50, "errors": 0, "p95_ms": 95.0})
    replica.text[1] = exposed(40, 0, 40, 0)  # the container was started anew
    assert source.look().seen["requests"] == 40


def test_metrics_that_cannot_be_read_tell_nothing() -> None:
    replica = Replica()
    del replica.text[2]
    source = ApplicationMetrics(Gate(), Metrics(), (1, 2), replica.read)
    source.begin()
    assert source.look() == Look(None, "/metrics on 127.0.0.1:2 gave HTTP 404")
    replica.text[2] = "up 1\n"
    assert source.look() == Look(None, "the application's metrics have no http_requests_total")


def test_a_histogram_s_percentile() -> None:
    seen = totals(exposed(100, 0, 90, 10), "http_requests_total", "status", "http_request_duration_seconds")
    assert seen.quantile(0.5) == pytest.approx(0.0556, abs=0.001)
    assert seen.quantile(0.95) == pytest.approx(0.55)
    assert totals("# TYPE http_requests_total counter\n", "http_requests_total", "status", "x").quantile(0.95) is None


class Prometheus:
    """A server that gives one answer, and keeps the questions."""

    def __init__(self, body: Any) -> None:
        self.body = body
        self.asked: list[tuple[str, str]] = []
        self.headers: Mapping[str, str] = {}

    def connect(self, base_url: str, headers: Mapping[str, str]) -> Prometheus:
        self.headers = headers
        return self

    def request(self, method: str, path: str, body: Any = None) -> Any:
        self.asked.append((method, path))
        if isinstance(self.body, Exception):
            raise self.body
        return self


def vector(*values: str) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, value]} for value in values]}}


@pytest.mark.parametrize(
    ("body", "objection"),
    [
        (vector("0.01", "0.04"), ""),
        (vector("0.01", "0.06"), "rate is 0.06, more than 0.05"),
        (vector(), None),
        (vector("NaN"), None),
        ({"status": "success", "data": {"resultType": "scalar", "result": [1, "0.2"]}}, "rate is 0.2, more than 0.05"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, None),
        ({"status": "error", "error": "parse error"}, None),
        (None, None),
        (OpsError("cannot reach it"), None),
    ],
)
def test_a_query_to_prometheus(body: Any, objection: str | None) -> None:
    server = Prometheus(body)
    source = PrometheusQuery(Query("http://p:9090", "rate", maximum=0.05, token="t"), server.connect)
    source.begin()
    assert source.look().objection == objection
    assert server.asked == [("GET", "/api/v1/query?query=rate")] and server.headers == {"Authorization": "Bearer t"}


def test_a_least_value() -> None:
    source = PrometheusQuery(Query("http://p", "up", minimum=2), Prometheus(vector("1")).connect)
    assert source.look().objection == "up is 1, less than 2"


class Alarming:
    def __init__(self, states: Mapping[str, str]) -> None:
        self.states = states

    def describe_alarms(self, AlarmNames: Sequence[str], AlarmTypes: Sequence[str]) -> Any:
        found = [{"AlarmName": name, "StateValue": state, "StateReason": "too many"} for name, state in self.states.items() if name in AlarmNames]
        return {"MetricAlarms": found[:1], "CompositeAlarms": found[1:]}


@pytest.mark.parametrize(
    ("states", "objection"),
    [
        ({"errors": "OK", "slow": "OK"}, ""),
        ({"errors": "OK", "slow": "ALARM"}, "alarm slow is on: too many"),
        ({"errors": "OK", "slow": "INSUFFICIENT_DATA"}, None),
        ({"errors": "OK"}, None),
    ],
)
def test_alarms_of_cloudwatch(states: Mapping[str, str], objection: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "client", lambda *_arguments: Alarming(states))
    source = CloudwatchAlarms(Alarms(("errors", "slow")))
    assert source.look().objection == objection


class Scripted:
    """A source that says one thing after the other."""

    def __init__(self, name: str, *said: str | None) -> None:
        self.name = name
        self._said = list(said)

    def begin(self) -> None:
        """Nothing."""

    def look(self) -> Look:
        return Look(self._said.pop(0) if len(self._said) > 1 else self._said[0], "words")


def watch(*given: Scripted, seconds: float = 10.0) -> None:
    def note(_kind: str, **_fields: object) -> None:
        """Nobody reads it."""

    Watch(Gate(seconds=seconds), given, note, ManualClock()).run(lambda: None)  # type: ignore[arg-type]


def test_every_source_has_to_say_something_good() -> None:
    watch(Scripted("a", ""), Scripted("b", None, None, ""))
    with pytest.raises(OpsError, match=r"The gate has no data from b, 4 times in a row \(words\)"):
        watch(Scripted("a", ""), Scripted("b", None))
    with pytest.raises(OpsError, match=r"no sample of b that was good in 3 s: 0 were bad; 3 told nothing"):
        watch(Scripted("a", ""), Scripted("b", None), seconds=3.0)


def test_one_source_that_objects_is_enough() -> None:
    with pytest.raises(OpsError, match=r"The gate saw that it is slow \(words\)"):
        watch(Scripted("a", ""), Scripted("b", "", "it is slow"))
    watch(Scripted("a", ""), Scripted("b", "it is slow", ""))  # one is forgiven
