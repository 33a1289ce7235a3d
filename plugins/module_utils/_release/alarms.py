# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source of the gate: alarms of CloudWatch."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.groundcrew.ops.plugins.module_utils._core.aws import Account, BotoCoreError, ClientError, client
from ansible_collections.groundcrew.ops.plugins.module_utils._release.gate import Look


@dataclass(frozen=True)
class Alarms:
    """Alarms of CloudWatch by name. region, endpoint_url: as botocore finds them where they are None, like the credentials."""

    names: tuple[str, ...]
    region: str | None = None
    endpoint_url: str | None = None


class CloudwatchAlarms:
    """Each alarm has to be OK; one without data cannot tell."""

    name = "CloudWatch"

    def __init__(self, alarms: Alarms) -> None:
        self._names = alarms.names
        self._client = client("cloudwatch", Account(alarms.endpoint_url, alarms.region))

    def begin(self) -> None:
        """An alarm says itself over which time it looks."""

    def look(self) -> Look:
        try:
            answer = self._client.describe_alarms(AlarmNames=list(self._names), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        except (BotoCoreError, ClientError) as error:
            return Look(None, f"CloudWatch cannot be asked: {error}")
        found = {each["AlarmName"]: each for each in (*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ()))}
        states = {name: str(found[name]["StateValue"]) if name in found else "missing" for name in self._names}
        said = ", ".join(f"{name} is {state}" for name, state in states.items())
        if ringing := [name for name, state in states.items() if state == "ALARM"]:
            reasons = "; ".join(f"alarm {name} is on: {found[name].get('StateReason') or 'it gives no reason'}" for name in ringing)
            return Look(reasons, said, {"alarms": states})
        return Look("" if set(states.values()) == {"OK"} else None, said, {"alarms": states})
