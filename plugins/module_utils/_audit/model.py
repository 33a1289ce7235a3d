# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit asks, finds and forgives, in our words."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

SEVERITIES = ("info", "low", "medium", "high", "critical")
# "unknown": it could not be looked at. "unjudged": there was nothing to measure against, so nobody looked.
VERDICTS = ("pass", "fail", "unknown", "unjudged")
ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")


@dataclass(frozen=True)
class Waiver:
    """A failure that somebody answers for, until a day.

    id, subject: patterns as of a shell; both have to match.
    """

    id: str
    subject: str
    owner: str
    expires: dt.date
    reason: str


@dataclass(frozen=True)
class Finding:
    """The answer to one check about one subject. Evidence never holds a secret.

    id: stays the same for good, so that a waiver, a trend and a CI's list of known findings survive an upgrade.
    verdict: a check that could not look is "unknown", never "pass"; one that nothing was declared for is "unjudged".
    waiver: who answers for what is wrong or unknown; one that has expired is kept to say so, and forgives nothing.
    """

    id: str
    title: str
    severity: str
    subject: str
    verdict: str
    evidence: str
    remedy: str
    waiver: Waiver | None = None
    waived: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The shape in which findings travel between tasks, hosts and reports."""
        waiver = self.waiver
        shown = {name: getattr(self, name) for name in ("id", "title", "severity", "subject", "verdict", "evidence", "remedy", "waived")}
        return {**shown, "waiver": None if waiver is None else {"owner": waiver.owner, "expires": waiver.expires.isoformat(), "reason": waiver.reason}}


@dataclass(frozen=True)
class Check:
    """A question with a stable id, whatever it is asked about."""

    id: str
    severity: str
    title: str
    remedy: str

    def judge(self, subject: str, verdict: bool | None, evidence: str) -> Finding:
        """verdict: None means that it could not be told, and the evidence says why."""
        word = "unknown" if verdict is None else "pass" if verdict else "fail"
        return Finding(self.id, self.title, self.severity, subject, word, evidence, self.remedy)

    def unjudged(self, subject: str, evidence: str) -> Finding:
        """Nothing was declared to measure the subject against, or it has nothing of the kind."""
        return Finding(self.id, self.title, self.severity, subject, "unjudged", evidence, self.remedy)


def finding(said: Mapping[str, Any]) -> Finding:
    """A finding in the shape of ``as_dict``, as another task or host handed it over. Whether its waiver still holds is decided anew."""
    wanted = ("id", "severity", "subject", "verdict", "evidence", "remedy")
    missing = [key for key in wanted if not isinstance(said.get(key), str)]
    if missing:
        raise OpsError(f"A finding lacks {', '.join(missing)}: {dict(said)!r}. It needs {', '.join(wanted)}, each a text.", missing=missing)
    for key, known in (("severity", SEVERITIES), ("verdict", VERDICTS)):
        if said[key] not in known:
            raise OpsError(f"The finding {said['id']} has {key} {said[key]!r}. It has to be one of {', '.join(known)}.", field=key)
    if not ID.fullmatch(said["id"]):
        raise OpsError(f"The finding {said['id']!r} needs an id such as 'host.ssh_password': lower case, at least two parts with a dot between.", field="id")
    given = said.get("waiver")
    return Finding(
        **{key: said[key] for key in wanted},
        title=str(said.get("title") or said["id"]),
        waiver=waiver({**given, "id": said["id"], "subject": said["subject"]}) if given else None,
    )


def waiver(said: Mapping[str, Any]) -> Waiver:
    """A waiver as declared. One without an owner, a reason or an end is none."""
    words = {key: str(said.get(key) or "").strip() for key in ("id", "owner", "expires", "reason")}
    missing = [key for key, word in words.items() if not word]
    if missing:
        raise OpsError(f"The waiver of {words['id'] or 'nothing'} lacks {', '.join(missing)}. Each waiver has id, owner, expires and reason.", missing=missing)
    try:
        expires = dt.date.fromisoformat(words["expires"])
    except ValueError as error:
        raise OpsError(f"The waiver of {words['id']} expires {words['expires']!r}, which is no day. Write it as 2027-01-31.", field="expires") from error
    return Waiver(words["id"], str(said.get("subject") or "*"), words["owner"], expires, words["reason"])
