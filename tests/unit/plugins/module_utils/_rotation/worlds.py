# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small world for rotations: a database that knows passwords, a clock that can be moved, and a saw for power lines."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.dual_user import DualUser
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Machine, Patience
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret, Version
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import FileRecords, FileStore

NAME = "shop/database"
CONSUMERS = ("web-1", "web-2")
RECIPE = policy.recipe("database_user", 192, policy.ALPHABET, ("shop_a", "shop_b"))


class Killed(BaseException):
    """The process is gone: nothing below catches this."""


class Saw:
    """Kills at the n-th point: one before and one after each call to what is outside."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.points: list[str] = []

    def point(self, name: str) -> None:
        self.points.append(name)
        if self.at == len(self.points):
            raise Killed(name)

    def wrap(self, label: str, inner: Any, watched: tuple[str, ...]) -> Any:
        saw = self

        class Watched:
            def __getattr__(self, name: str) -> Any:
                method = getattr(inner, name)
                if name not in watched:
                    return method

                def call(*args: Any, **kwargs: Any) -> Any:
                    saw.point(f"before {label}.{name}")
                    answer = method(*args, **kwargs)
                    saw.point(f"after {label}.{name}")
                    return answer

                return call

        return Watched()


class Base64Cipher:
    """Stands for encryption where encryption is not what is tested."""

    def encrypt(self, text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    def decrypt(self, sealed: str) -> str:
        return base64.b64decode(sealed).decode()


@dataclass
class MovedClock(Clock):
    time: float = 1_700_000_000.0
    skew: float = 0.0  # of the time of day, which somebody may set
    on_sleep: Callable[[], None] = lambda: None

    def now(self) -> float:
        return self.time + self.skew

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.on_sleep()


@dataclass
class Database:
    """Logins as a database has them."""

    passwords: dict[str, str | None] = field(default_factory=dict)
    enabled: set[str] = field(default_factory=set)
    sessions: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    effective_user: str = "shop"
    wrong_refused: bool = True
    may_create_logins: bool = True
    broken: str | None = None
    server: str = "The database"

    def accepts(self, value: Any) -> bool:
        return value["username"] in self.enabled and self.passwords.get(value["username"]) == value["password"]

    def ensure(self, name: str, password: str, state: str) -> None:
        if self.broken == state:
            raise OpsError("the database is away")
        if state == "enabled":
            self.passwords[name] = password
            self.enabled.add(name)
            return
        self.enabled.discard(name)
        self.sessions[name] = 0
        if state == "retired":
            self.passwords[name] = None

    def look(self, name: str, password: str | None = None, compare_with: str | None = None) -> Mapping[str, Any]:
        if self.broken == "look":
            raise OpsError("the database is away")
        return {
            "accepted": None if password is None else self.accepts({"username": name, "password": password}),
            "wrong_refused": self.wrong_refused,
            "effective_user": self.effective_user,
            "differences": self.differences if compare_with else [],
            "sessions": self.sessions.get(name, 0),
            "may_create_logins": self.may_create_logins,
        }


class World:
    """Everything that outlives a killed process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = MovedClock()
        self.database = Database()
        self.store = FileStore(folder, Base64Cipher())
        self.records = FileRecords(folder, self.clock)
        first = policy.version(policy.generate(RECIPE, "first"), "first", self.clock.now(), "salt")
        self.store.create(Secret(NAME, RECIPE, first))
        self.database.ensure(first.part("username"), first.part("password"), "enabled")

    @property
    def secret(self) -> Secret:
        secret = self.store.get(NAME)
        assert secret is not None
        return secret

    def machine(self, saw: Saw | None = None, **patience: Any) -> Machine:
        saw = saw or Saw()
        store = saw.wrap("store", self.store, ("stage", "promote", "drop_pending"))
        records = saw.wrap("records", self.records, ("write",))
        logins = saw.wrap("database", self.database, ("ensure", "look"))
        return Machine(NAME, store, records, DualUser(logins, "shop"), Patience(**patience), self.clock)

    def acknowledge(self) -> list[tuple[str, str]]:
        return [(consumer, self.secret.current.fingerprint) for consumer in CONSUMERS]

    def works(self, version: Version | None) -> bool:
        return version is not None and self.database.accepts(version.value)
