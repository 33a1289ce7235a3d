# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Redis or Valkey server holds: keys per database, and a sample of keys with type, expiry and a digest of the value.

There is no snapshot that could be read beside the dump. So the sample is read before the dump and again after it: what is the same both times was the
same in between, and has to be in the backup. Names of keys may say who logged in, so the truth has only their hashes.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

MOST_ELEMENTS = 10_000  # of larger values the number of elements is compared, not each
CLOCK_MS = 2_000  # an expiry is read as time left and compared as a time
BATCH = 1_000


@dataclass(frozen=True)
class Sample:
    """A key that did not change while the dump was made. ``expires``: milliseconds since the epoch, None for never."""

    database: int
    key_hash: str
    type: str
    expires: int | None
    digest: str


@dataclass(frozen=True)
class RedisTruth:
    """What was there before and after the dump: a server that was written to meanwhile has different counts.

    keys_before, keys_after: by number of the database. expiring: how many of those before may have gone by themselves.
    """

    keys_before: Mapping[str, int]
    keys_after: Mapping[str, int]
    expiring: Mapping[str, int]
    samples: tuple[Sample, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RedisTruth:
        return cls(data["keys_before"], data["keys_after"], data["expiring"], tuple(Sample(**one) for one in data["samples"]))


def keyspace(client: Any) -> dict[int, tuple[int, int]]:
    """Keys, and how many of them expire, by number of the database."""
    return {int(name[2:]): (int(told["keys"]), int(told["expires"])) for name, told in client.info("keyspace").items() if name.startswith("db")}


def keys_of(client: Any, match: str | None = None) -> Iterator[list[bytes]]:
    """The keys of the client's database, in batches. SCAN may name a key twice."""
    cursor = None
    while cursor != 0:
        cursor, found = client.scan(cursor=cursor or 0, count=BATCH, match=match)
        if found:
            yield found


def pick(client: Any, most: int) -> list[bytes]:
    """The keys with the lowest hashes: the same ones in a copy, whatever its order."""
    lowest: list[tuple[int, bytes]] = []
    seen: set[bytes] = set()
    for batch in keys_of(client):
        for key in batch:
            entry = (-int(key_hash(key)[:16], 16), key)
            if key in seen or (len(lowest) == most and entry <= lowest[0]):
                continue
            seen.add(key)
            if len(lowest) < most:
                heapq.heappush(lowest, entry)
            else:
                seen.discard(heapq.heapreplace(lowest, entry)[1])
    return [key for _rank, key in lowest]


def look(client: Any, database: int, keys: Iterable[bytes]) -> list[Sample]:
    """The sample as it is now. A key that has gone is left out."""
    samples = []
    for key in keys:
        kind = client.type(key).decode()
        left = client.pttl(key)
        if kind != "none" and left != -2:
            seconds, micros = client.time()
            expires = None if left < 0 else seconds * 1000 + micros // 1000 + left
            samples.append(Sample(database, key_hash(key), kind, expires, digest(client, key, kind)))
    return samples


def unchanged(before: Iterable[Sample], after: Iterable[Sample]) -> tuple[Sample, ...]:
    later = {(one.database, one.key_hash): one for one in after}
    return tuple(one for one in before if (other := later.get((one.database, one.key_hash))) is not None and not differs(one, other))


def differs(one: Sample, other: Sample) -> str | None:
    """What differs between two looks at a key."""
    if one.type != other.type:
        return f"is a {other.type}, not a {one.type}"
    if (one.expires is None) != (other.expires is None) or abs((one.expires or 0) - (other.expires or 0)) > CLOCK_MS:
        return f"expires at {other.expires}, not at {one.expires}"
    return None if one.digest == other.digest else "has another value"


def compare(truth: RedisTruth, clients: Mapping[int, Any], now_ms: int) -> list[str]:
    """What is wrong with a copy. ``clients``: one for each of its databases, 0 always among them."""
    found = []
    there = keyspace(clients[0])
    for name in sorted(set(truth.keys_before) | set(truth.keys_after), key=int):
        before, after = truth.keys_before.get(name, 0), truth.keys_after.get(name, 0)
        keys, expiring = there.get(int(name), (0, 0))
        # How many a server held that was written to meanwhile nobody can say.
        if before != after:
            continue
        # Keys go when their time has come, also in the copy; those without an expiry do not.
        lasting = before - truth.expiring.get(name, 0)
        if keys - expiring != lasting:
            found.append(f"database {name} has {keys - expiring} keys without an expiry, not {lasting}")
        elif keys > before:
            found.append(f"database {name} has {keys} keys, not {before}")
    for number, expected in _by_database(truth.samples).items():
        hashes = {one.key_hash: one for one in expected}
        keys_there = {key_hash(key): key for batch in keys_of(clients[number]) for key in batch if key_hash(key) in hashes}
        copies = {one.key_hash: one for one in look(clients[number], number, keys_there.values())}
        for one in expected:
            copy = copies.get(one.key_hash)
            if copy is None:
                if one.expires is None or one.expires > now_ms:
                    found.append(f"database {number}: key with hash {one.key_hash[:12]} is missing")
            elif (what := differs(one, copy)) is not None:
                found.append(f"database {number}: key with hash {one.key_hash[:12]} {what}")
    return found


def key_hash(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()


def digest(client: Any, key: bytes, kind: str) -> str:
    """A value's content, whatever its encoding and order in memory are."""
    found = hashlib.sha256()
    for part in _parts(client, key, kind):
        data = part if isinstance(part, bytes) else str(part).encode()
        found.update(b"%d:" % len(data) + data)
    return found.hexdigest()


def _parts(client: Any, key: bytes, kind: str) -> Iterable[Any]:
    if kind == "string":
        return [client.strlen(key), client.getrange(key, 0, 1024 * 1024)]
    length = {"list": client.llen, "set": client.scard, "hash": client.hlen, "zset": client.zcard, "stream": client.xlen}.get(kind)
    if length is None:
        return [kind]  # of a module: that it is there and of this type is all that can be told
    size = length(key)
    if size > MOST_ELEMENTS:
        return [size]
    if kind == "list":
        return list(client.lrange(key, 0, -1))
    if kind == "set":
        return sorted(client.smembers(key))
    if kind == "hash":
        return [part for pair in sorted(client.hgetall(key).items()) for part in pair]
    if kind == "zset":
        return [part for member, score in client.zrange(key, 0, -1, withscores=True) for part in (member, repr(float(score)))]
    return [part for entry, fields in client.xrange(key) for part in (entry, *(item for pair in fields.items() for item in pair))]


def _by_database(samples: Iterable[Sample]) -> dict[int, list[Sample]]:
    found: dict[int, list[Sample]] = {}
    for one in samples:
        found.setdefault(one.database, []).append(one)
    return found
