# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The removal of backups that no rule keeps."""

from __future__ import annotations

import calendar
import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy, retention
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import Catalogue
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Entry, Identity, Manifest
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock


class Retain:
    """An operation for ``_core.run.perform`` and for the command line."""

    def __init__(self, identity: Identity, keep: retention.Keep, prefix: str, store: Store, catalogue: Catalogue, *, clock: Clock | None = None) -> None:
        self._identity = identity
        self._keep = keep
        self._home = policy.home(prefix, identity)
        self._store = store
        self._catalogue = catalogue
        self._clock = clock or Clock()

    def plan(self) -> Plan:
        decisions = self._decide()
        removed = [decision for decision in decisions if not decision.keep]
        before = {"backups": [decision.backup_id for decision in decisions]}
        after = {"backups": [decision.backup_id for decision in decisions if decision.keep]}
        steps = tuple(f"remove {decision.backup_id}: {decision.reason}" for decision in removed)
        return Plan("retain" if removed else "none", before, after, steps)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return {"retention": [dataclasses.asdict(decision) for decision in self._decide()]}

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        decisions = self._decide()
        for decision in decisions:
            if not decision.keep:
                folder = f"{self._home}{decision.backup_id}/"
                self._catalogue.remove(folder, [item.key[len(folder) :] for item in self._store.listing(folder)])
        return {"retention": [dataclasses.asdict(decision) for decision in decisions]}

    def _decide(self) -> list[retention.Decision]:
        # What cannot be read, be it damaged or signed by somebody else, is not ours to remove.
        candidates = [_candidate(entry, entry.manifest) for entry in self._catalogue.entries(self._identity) if entry.manifest is not None]
        return retention.decide(candidates, self._keep, self._clock.now())


def _candidate(entry: Entry, manifest: Manifest) -> retention.Candidate:
    taken_at = calendar.timegm(time.strptime(manifest.truth.taken_at, "%Y-%m-%dT%H:%M:%SZ"))
    return retention.Candidate(entry.backup_id, taken_at, entry.proven)
