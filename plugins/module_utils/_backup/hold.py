# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hold on a backup, as one thing that converges: while it lasts, no rule removes the backup."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import NEWEST, Catalogue
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Entry, Hold, Identity
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock


class Holding:
    """A noun for ``_core.run.converge``.

    wanted: the hold, without its backup and its time; None for none.
    """

    def __init__(self, identity: Identity, backup_id: str, wanted: Mapping[str, str | None] | None, catalogue: Catalogue, clock: Clock | None = None) -> None:
        self._identity = identity
        self._catalogue = catalogue
        self._clock = clock or Clock()
        self._wanted = None if wanted is None else self._checked(wanted)
        # Chosen once: what is newest may change while we look.
        self._backup_id = catalogue.choose(identity, backup_id).backup_id if backup_id in NEWEST else backup_id

    def read(self) -> State | None:
        hold = self._entry().hold
        return None if hold is None else {"backup_id": hold.backup_id, "reason": hold.reason, "owner": hold.owner, "until": hold.until}

    def desired(self, current: State | None) -> State | None:
        return None if self._wanted is None else {"backup_id": self._backup_id, **self._wanted}

    def apply(self, planned: Plan) -> None:
        if self._wanted is None:
            self._catalogue.release(self._identity, self._backup_id)
            return
        placed_at = policy.timestamp(self._clock.now())
        self._catalogue.hold(self._identity, Hold(self._backup_id, str(self._wanted["reason"]), str(self._wanted["owner"]), placed_at, self._wanted["until"]))

    def result(self, state: State | None) -> Mapping[str, Any]:
        return {"hold": state}

    def _entry(self) -> Entry:
        entries = self._catalogue.entries(self._identity)
        for entry in entries:
            if entry.backup_id == self._backup_id:
                return entry
        there = ", ".join(entry.backup_id for entry in entries) or "none"
        raise OpsError(f"There is no backup {self._backup_id} of database {self._identity.database}; there are: {there}.", backup_id=self._backup_id)

    def _checked(self, wanted: Mapping[str, str | None]) -> dict[str, str | None]:
        until = wanted.get("until") or None
        if until is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", until):
            until += "T00:00:00Z"
        try:
            expired = until is not None and policy.seconds(until) <= self._clock.now()
        except ValueError as error:
            raise OpsError(f"{until!r} is no time: write it as 2027-01-31 or 2027-01-31T12:00:00Z, in UTC.", field="until") from error
        if expired:
            raise OpsError(f"The hold would end at {until}, which is over. Give a later time, or none.", field="until")
        return {"reason": wanted["reason"], "owner": wanted["owner"], "until": until}
