# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes minutes to be created and changed: database clusters and their replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State, plan
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import Kind, Resource, Update


def refuse_less(noun: str, name: str, current: State, wanted: State, *, upgrade: bool) -> None:
    """Raises OpsError for an older version, for a newer one that is not allowed, and for less storage: none of them can be undone."""
    is_, should = current.get("version"), wanted.get("version")
    if should and is_ != should:
        if _number(should) < _number(str(is_)):
            raise OpsError(
                f"{noun} {name} has version {is_}, and there is no way back to {should}."
                f" Set version to {is_}, or restore a dump into a new {noun} of version {should}.",
                field="version",
            )
        if not upgrade:
            raise OpsError(
                f"{noun} {name} has version {is_}, not {should}. A major upgrade cannot be undone: try it on a fork (restore_from), take a backup,"
                " then set upgrade=true.",
                field="version",
            )
    if wanted.get("storage_size_mib", 0) and wanted["storage_size_mib"] < (current.get("storage_size_mib") or 0):
        raise OpsError(
            f"{noun} {name} has storage_size_mib {current['storage_size_mib']}; it only grows, so it cannot become {wanted['storage_size_mib']}."
            f" Set storage_size_mib to {current['storage_size_mib']} or more, or leave it out.",
            field="storage_size_mib",
        )


def _number(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]


class Managed(Resource):
    """A resource that need not be waited for.

    Without waiting, what was asked for counts as done, and what is not ready yet is left to a run that waits: it could not be changed.
    """

    def __init__(self, client: Client, kind: Kind, wanted: Mapping[str, Any], *, given: Sequence[str] = (), upgrade: bool = False, **options: Any) -> None:
        """
        given: fields that are told at creation, and by no answer afterwards.
        upgrade: whether the major version may rise.
        """
        super().__init__(client, kind, wanted, **options)
        self._given = given
        self._upgrade = upgrade
        self._told: dict[str, Any] = {}

    def read(self) -> State | None:
        state = super().read()
        return None if state is None else {**state, **self._told}

    def desired(self, current: State | None) -> State | None:
        if current is not None:
            self._wanted = {field: value for field, value in self._wanted.items() if field not in self._given}
        wanted = super().desired(current)
        if wanted is None:
            return None
        if current is not None:
            refuse_less(self._kind.noun, self._name, current, wanted, upgrade=self._upgrade)
        later = {field for update in self._left(current, wanted) for field in update.fields}
        return {field: value for field, value in wanted.items() if field not in later}

    def _left(self, current: State | None, wanted: State) -> list[Update]:
        """Changes that have to be left to a run that waits."""
        updates = self._kind.updates
        if self._patience.wait:
            return []
        if current is None:
            return [update for update in updates if update.at_creation]
        if not current["ready"]:
            return list(updates)
        # One that takes its time is begun; the next one would be refused as long as it lasts.
        return [update for update in updates if update.settles and any(wanted.get(field, current[field]) != current[field] for field in update.fields)][1:]

    def apply(self, planned: Plan) -> None:
        before = planned.before
        if planned.after is not None and before is not None and self._patience.wait and not before["ready"]:
            # What it was in the middle of a change says little about what is left to do.
            self._look_ready()
            before = self.read()
            planned = plan(before, self.desired(before))
        super().apply(planned)

    def _create(self, after: State) -> None:
        super()._create(after)
        self._told = {field: after[field] for field in self._given if field in after}

    def _update(self, update: Update, after: State) -> None:
        if self._seen and self._kind.state(self._seen)["size"] != after["size"] and "storage_size_mib" not in self._wanted:
            # Another size comes with storage of its own.
            after = {field: value for field, value in after.items() if field != "storage_size_mib"}
        try:
            super()._update(update if self._patience.wait else replace(update, settles=False), after)
        except OpsError as error:
            # Refused: perhaps because it was sent twice, after an answer that got lost, and the first one is under way or done.
            if error.details.get("status") not in (409, 422):
                raise
            self._look_ready()
            should = {field: after[field] for field in update.fields if field in after}
            if self._seen is None or not should.items() <= self._state(self._seen).items():
                raise
        if not self._patience.wait:
            self._told.update({field: after[field] for field in update.fields if field in after})
