# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The removal of backups that no rule keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy, retention
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import Catalogue
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.lease import Lease
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Entry, Identity
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock


class Retain:
    """An operation for ``_core.run.perform`` and for the command line. It touches the folder of one database only.

    locked: until when the store itself keeps an object, None when it does not.
    sweep: also remove what runs that were killed have left, unless one is under way.
    force: remove more than ``keep.most`` in this run.
    """

    def __init__(
        self,
        identity: Identity,
        keep: retention.Keep,
        prefix: str,
        store: Store,
        catalogue: Catalogue,
        *,
        locked: Callable[[str], str | None],
        sweep: bool = False,
        force: bool = False,
        clock: Clock | None = None,
    ) -> None:
        for name, value in dataclasses.asdict(keep).items():
            if value < 0:
                raise OpsError(f"The rule {name} is {value}: give 0 or more.", field=name)
        self._identity = identity
        self._keep = keep
        self._home = policy.home(prefix, identity)
        self._store = store
        self._catalogue = catalogue
        self._locked = locked
        self._sweep = sweep
        self._force = force
        self._clock = clock or Clock()
        self._planned: list[retention.Decision] = []

    def plan(self) -> Plan:
        entries = {entry.backup_id: entry for entry in self._catalogue.entries(self._identity)}
        self._planned = decide(list(entries.values()), self._keep, self._clock.now(), force=self._force)
        shown = {backup_id: f"taken {policy.taken_at(entry)}, {entry.level}" for backup_id, entry in entries.items()}
        kept = {one.backup_id for one in self._planned if one.keep}
        steps = tuple(f"{'keep' if one.keep else 'remove'} {one.backup_id}: {one.reason}" for one in self._planned)
        after = {backup_id: what for backup_id, what in shown.items() if backup_id in kept}
        left = sorted(self._catalogue.orphans(self._identity)) if self._sweep else []
        steps += tuple(f"sweep {backup_id}: no run finished it" for backup_id in left)
        return Plan(
            "retain" if left or len(after) < len(shown) else "none", {"backups": shown, "unfinished": left}, {"backups": after, "unfinished": []}, steps
        )

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return self._told(self._planned, ())

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        decisions, removed = [], []
        for one in self._planned:
            refused = None if one.keep else self._remove(one.backup_id)
            if not one.keep and refused is None:
                removed.append(one.backup_id)
            decisions.append(one if refused is None else retention.Decision(one.backup_id, True, refused))
        return {**self._told(decisions, removed), "swept": self._swept(planned)}

    def _swept(self, planned: Plan) -> int:
        """A run that is under way holds the lease; what it has stored looks as if it was left."""
        if not (planned.before or {}).get("unfinished"):
            return 0
        with Lease(self._store, self._home + policy.LEASE, f"the sweep of {self._identity.database}"):
            return self._catalogue.sweep(self._identity)

    def _remove(self, backup_id: str) -> str | None:
        """Remove a backup, or say what speaks against it now: a hold that was placed since, or the store's own lock."""
        folder = f"{self._home}{backup_id}/"
        names = [item.key[len(folder) :] for item in self._store.listing(folder)]
        if policy.HOLD in names:
            return "a hold was placed on it meanwhile"
        until = self._locked(folder + policy.MANIFEST) if policy.MANIFEST in names else None
        if until is not None:
            return f"the store has locked it until {until}"
        self._catalogue.remove(folder, names)
        return None

    def _told(self, decisions: list[retention.Decision], removed: Any) -> dict[str, Any]:
        return {"retention": [dataclasses.asdict(one) for one in decisions], "removed": list(removed), "swept": 0}


def decide(entries: list[Entry], keep: retention.Keep, now: float, *, force: bool = False) -> list[retention.Decision]:
    """What the rules say about these backups."""
    return retention.decide([_candidate(entry, now) for entry in entries], keep, now, force=force)


def _candidate(entry: Entry, now: float) -> retention.Candidate:
    protected = None
    if entry.manifest is None:
        # What cannot be read, be it damaged or signed by somebody else, is not ours to remove.
        protected = f"it cannot be read: {entry.problem}"
    if entry.hold is not None and entry.hold.holds(policy.timestamp(now)):
        until = f" until {entry.hold.until}" if entry.hold.until else ""
        protected = f"held{until} by {entry.hold.owner}: {entry.hold.reason}"
    return retention.Candidate(entry.backup_id, policy.seconds(policy.taken_at(entry)), entry.proven, protected)
