# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in a store: which backups there are, and how far each can be trusted."""

from __future__ import annotations

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy, transfer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.manifest import Signer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Entry, Hold, Identity, Verification
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

NEWEST = ("latest", "latest_verified")
ENGINES = ("postgresql", "redis")


class Catalogue:
    """The backups below one prefix, made with one signing key."""

    def __init__(self, store: Store, signer: Signer, prefix: str) -> None:
        self._store = store
        self._signer = signer
        self._prefix = prefix

    def identities(self, database: str | None = None, system_id: str | None = None, engine: str | None = None) -> list[Identity]:
        """The databases that have a folder, all or those of a name, a cluster or an engine. Names are compared whole: app is not app-staging."""
        found = []
        for one in (engine,) if engine else ENGINES:
            root = policy.root(self._prefix, one)
            systems = [system_id] if system_id else self._store.folders(root)
            found += [Identity(one, system, policy.decode(part)) for system in systems for part in self._store.folders(f"{root}{system}/")]
        return [identity for identity in found if database in (None, identity.database)]

    def identity(self, database: str, system_id: str | None, engine: str = "postgresql") -> Identity:
        """The one folder a restore means."""
        found = self.identities(database, system_id, engine)
        if len(found) == 1:
            return found[0]
        if not found:
            where = f"{policy.root(self._prefix, engine)}{system_id or ''}"
            raise OpsError(f"There is no backup of database {database} under {where}. Check database, bucket and prefix.")
        systems = ", ".join(identity.system_id for identity in found)
        raise OpsError(f"Database {database} was backed up from several clusters: {systems}. Say which with system_id.", system_ids=systems)

    def entries(self, identity: Identity) -> list[Entry]:
        """The backups of a database, oldest first, damaged ones too."""
        home = policy.home(self._prefix, identity)
        found = policy.group(self._store.listing(home), home)
        there = [backup_id for backup_id in found if not policy.is_orphan(found[backup_id])]
        return transfer.each(lambda backup_id: self._entry(identity, backup_id, found[backup_id]), there)

    def choose(self, identity: Identity, wanted: str) -> Entry:
        """The backup to restore. A named one must be whole; "latest" and "latest_verified" pass over those that are not."""
        entries = self.entries(identity)
        if wanted not in NEWEST:
            entry = next((entry for entry in entries if entry.backup_id == wanted), None)
            if entry is None:
                raise OpsError(f"There is no backup {wanted} of database {identity.database}; there are: {', '.join(e.backup_id for e in entries) or 'none'}.")
            if not entry.restorable:
                raise OpsError(f"Backup {wanted} cannot be restored: {entry.problem}", backup_id=wanted)
            return entry
        good = [entry for entry in entries if entry.restorable and (wanted == "latest" or entry.proven)]
        if not good:
            reasons = "; ".join(f"{entry.backup_id}: {entry.problem or entry.level}" for entry in entries) or "there is none at all"
            raise OpsError(f"Database {identity.database} has no backup that is {'whole' if wanted == 'latest' else 'whole and verified'}: {reasons}")
        return good[-1]

    def record(self, identity: Identity, verification: Verification) -> None:
        """Keep the record of a check beside the backup."""
        name = verification.at.replace("-", "").replace(":", "").replace(".", "")
        home = policy.home(self._prefix, identity)
        self._store.create(f"{home}{verification.backup_id}/{policy.VERIFIED}{name}.json", self._signer.seal(verification.to_dict()))

    def hold(self, identity: Identity, hold: Hold) -> None:
        """Keep a backup whatever the rules say; a hold that is there is replaced."""
        self._store.put(self._hold_key(identity, hold.backup_id), self._signer.seal(hold.to_dict()))

    def release(self, identity: Identity, backup_id: str) -> None:
        self._store.delete(self._hold_key(identity, backup_id))

    def orphans(self, identity: Identity) -> dict[str, policy.Found]:
        """What is left of runs that were killed, or are still under way, and of removals that were not finished."""
        home = policy.home(self._prefix, identity)
        return {backup_id: found for backup_id, found in policy.group(self._store.listing(home), home).items() if policy.is_orphan(found)}

    def sweep(self, identity: Identity) -> int:
        """Remove what runs that were killed have left; how many there were. The caller holds the database's lock, so none of them is alive."""
        home = policy.home(self._prefix, identity)
        orphans = self.orphans(identity)
        for backup_id, found in orphans.items():
            self.remove(f"{home}{backup_id}/", list(found.objects))
        self._store.abort_uploads(home)
        return len(orphans)

    def remove(self, folder: str, names: list[str]) -> None:
        """Delete a backup so that it stops to be one first, and can be continued after a crash."""
        marks = (policy.MANIFEST, policy.DELETING)
        if policy.MANIFEST in names:
            self._store.put(folder + policy.DELETING, b"{}\n")
        transfer.remove(self._store, folder, [name for name in names if name not in marks])
        for mark in marks:
            self._store.delete(folder + mark)

    def _entry(self, identity: Identity, backup_id: str, found: policy.Found) -> Entry:
        folder = f"{policy.home(self._prefix, identity)}{backup_id}/"
        hold = self._hold(backup_id, folder + policy.HOLD) if policy.HOLD in found.objects else None
        stored = self._store.get(folder + policy.MANIFEST)
        if stored is None:
            return Entry(backup_id, None, "its manifest is missing", (), hold)
        try:
            manifest = self._signer.open_manifest(stored, folder + policy.MANIFEST, backup_id, identity)
            checks = tuple(self._verification(folder + name) for name in found.verifications)
        except OpsError as error:
            return Entry(backup_id, None, error.message, (), hold)
        problem = policy.problem(manifest, found.objects)
        return Entry(backup_id, manifest, f"{problem} (in {folder})" if problem else None, checks, hold)

    def _hold_key(self, identity: Identity, backup_id: str) -> str:
        return f"{policy.home(self._prefix, identity)}{backup_id}/{policy.HOLD}"

    def _hold(self, backup_id: str, key: str) -> Hold:
        """A hold that cannot be read holds: whoever damaged it must not free the backup."""
        try:
            return Hold(**self._signer.open(self._store.get(key) or b"", key))
        except OpsError as error:
            return Hold(backup_id, f"the hold cannot be read: {error.message}", "unknown", "", None)

    def _verification(self, key: str) -> Verification:
        return Verification.from_dict(self._signer.open(self._store.get(key) or b"", key))
