# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure rules: where things lie, what counts as a backup, when two databases are equal."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import (
    Comparison,
    Entry,
    Identity,
    Listed,
    Manifest,
    SequenceTruth,
    TableComparison,
    Truth,
)
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

BACKUP_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
DATA = "data/"
BUNDLES = "bundle/"
GLOBALS = "globals.sql"
LEASE = "lease.json"
MANIFEST = "manifest.json"
DELETING = "deleting.json"
VERIFIED = "verified/"
HOLD = "hold.json"
FAILED = "failed/"


class Damaged(OpsError):
    """What is stored is not what was stored: a finding about the backup, where other errors are about the check."""


def root(prefix: str, engine: str = "postgresql") -> str:
    """The folder of an engine. A prefix may have several parts; an empty one is the bucket itself."""
    return "/".join([*[part for part in prefix.split("/") if part], engine]) + "/"


def home(prefix: str, identity: Identity) -> str:
    """The folder of one database."""
    return f"{root(prefix, identity.engine)}{identity.system_id}/{encode(identity.database)}/"


def encode(name: str) -> str:
    """A database's name as one part of a key: no slash, and neither ``.`` nor ``..``, which some stores resolve."""
    quoted = quote(name, safe="")
    return quoted.replace(".", "%2E") if set(name) == {"."} else quoted


def decode(part: str) -> str:
    return unquote(part)


def timestamp(seconds: float) -> str:
    """ISO 8601 in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def seconds(timestamp: str) -> float:
    """Seconds since the epoch of an ISO 8601 time in UTC, to the second; that of a record has milliseconds."""
    whole, _point, _milliseconds = timestamp.partition(".")
    return float(calendar.timegm(time.strptime(whole.removesuffix("Z") + "Z", "%Y-%m-%dT%H:%M:%SZ")))


def taken_at(entry: Entry) -> str:
    """The time of the snapshot; where the manifest cannot tell, that of the beginning, from the backup's name."""
    if entry.manifest is not None:
        return entry.manifest.truth.taken_at
    return timestamp(calendar.timegm(time.strptime(entry.backup_id.partition("-")[0], "%Y%m%dT%H%M%SZ")))


def moment(seconds: float) -> str:
    """The same to the millisecond, for records that must sort and not collide."""
    return f"{timestamp(seconds)[:-1]}.{int(seconds * 1000) % 1000:03d}Z"


def new_backup_id(seconds: float, unique: str) -> str:
    """Sorts by time; ``unique`` (8 hex digits) keeps two runs in one second apart."""
    return timestamp(seconds).replace("-", "").replace(":", "") + "-" + unique


@dataclass
class Found:
    """What a listing shows of one backup."""

    objects: dict[str, int] = field(default_factory=dict)

    @property
    def verifications(self) -> list[str]:
        return sorted(name for name in self.objects if name.startswith(VERIFIED))


def group(listing: Iterable[Listed], folder: str) -> dict[str, Found]:
    """The listing of a database's folder by backup, oldest first. What does not look like ours is left out, and so left alone."""
    found: dict[str, Found] = {}
    for item in listing:
        backup_id, slash, name = item.key[len(folder) :].partition("/")
        if slash and BACKUP_ID.fullmatch(backup_id):
            found.setdefault(backup_id, Found()).objects[name] = item.size
    return dict(sorted(found.items()))


def is_orphan(found: Found) -> bool:
    """Left by a run that was killed, or by a removal that was. A backup whose manifest alone is gone was checked or held once, and is kept."""
    return DELETING in found.objects or (MANIFEST not in found.objects and HOLD not in found.objects and not found.verifications)


def problem(manifest: Manifest, found: Mapping[str, int]) -> str | None:
    """What a listing shows to be wrong with a backup: the first object that is missing or has another size."""
    for record in manifest.objects:
        size = found.get(record.name)
        if size is None:
            return f"object {record.name} is missing"
        if size != record.size:
            return f"object {record.name} has {size} bytes, not {record.size}"
    return None


def check_object(key: str, size: int, sha256: str, expected_size: int, expected_sha256: str) -> None:
    """Raise the error that names a damaged object."""
    if (size, sha256) != (expected_size, expected_sha256):
        what = f"has {size} bytes, not {expected_size}" if size != expected_size else "has another content than was stored"
        raise Damaged(
            f"The backup is damaged: object {key} {what} (SHA-256 {sha256}, the manifest says {expected_sha256}). Nothing was restored; use another backup.",
            object=key,
            expected_sha256=expected_sha256,
            sha256=sha256,
        )


def compare(expected: Truth, actual: Truth) -> Comparison:
    """Compare a database with the truth recorded with its backup. Materialized views are derived data: their definition counts, not their rows."""
    before = {table.name: table for table in expected.tables}
    after = {table.name: table for table in actual.tables}
    tables, differences = [], []
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            differences.append(f"table {name} is {'missing' if other is None else 'there but was not backed up'}")
        elif one.rows != other.rows:
            differences.append(f"table {name} has {other.rows} rows, not {one.rows}")
        elif None not in (one.hash, other.hash) and one.hash != other.hash:
            differences.append(f"table {name} has {one.rows} rows as it should, but other content")
        equal = one is not None and other is not None and one.rows == other.rows and (None in (one.hash, other.hash) or one.hash == other.hash)
        tables.append(TableComparison(name, one.rows if one else None, other.rows if other else None, equal))
    differences += _sequence_differences(expected.sequences, actual.sequences)
    if expected.large_objects != actual.large_objects:
        differences.append(f"there are {actual.large_objects} large objects, not {expected.large_objects}")
    elif None not in (expected.large_objects_hash, actual.large_objects_hash) and expected.large_objects_hash != actual.large_objects_hash:
        differences.append("the large objects have other content")
    missing = sorted(set(expected.extensions) - set(actual.extensions))
    if missing:
        differences.append(f"extensions are missing: {', '.join(missing)}")
    differences += _schema_differences(expected, actual)
    return Comparison(tuple(tables), tuple(differences))


def _sequence_differences(expected: tuple[SequenceTruth, ...], actual: tuple[SequenceTruth, ...]) -> list[str]:
    """A sequence may be ahead: it is not transactional, and the dump reads it after the truth does. It may never be behind."""
    after = {sequence.name: sequence for sequence in actual}
    found = []
    for one in expected:
        other = after.get(one.name)
        if other is None:
            found.append(f"sequence {one.name} is missing")
            continue
        direction = 1 if one.increment > 0 else -1
        if (direction * other.value, other.called) < (direction * one.value, one.called):
            found.append(f"sequence {one.name} is at {other.value}, behind {one.value}")
    return found


def _schema_differences(expected: Truth, actual: Truth) -> list[str]:
    after = {part.kind: part for part in actual.schema}
    found = []
    for part in expected.schema:
        other = after.get(part.kind)
        if other is None or other.count != part.count:
            found.append(f"there are {other.count if other else 0} {part.kind}, not {part.count}")
        elif other.sha256 != part.sha256 and expected.server_version // 10000 == actual.server_version // 10000:
            # Another major version may print the same definition in other words.
            found.append(f"the definitions of the {part.kind} differ")
    return found
