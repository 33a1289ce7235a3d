# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which checks real parts have passed and failed in this run of tests: a host, its engine, an application, servers. The others are tried on facts alone."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog
from ansible_collections.groundcrew.ops.plugins.module_utils._host import audit as host
from ansible_collections.groundcrew.ops.plugins.module_utils._host import audit_engine
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql import audit as postgresql
from ansible_collections.groundcrew.ops.plugins.module_utils._redis import audit as redis
from ansible_collections.groundcrew.ops.plugins.module_utils._release import audit as release
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import audit as rotation
from ansible_collections.groundcrew.ops.plugins.module_utils._web import audit as web
from tests import figures

LOOKED_AT = (host.CATALOG, audit_engine.CATALOG, release.APPLICATION, release.CONTAINERS, web.CATALOG, postgresql.CATALOG, redis.CATALOG)
Verdicts = Mapping[str, set[str]]


def ids(*catalogs: Catalog) -> set[str]:
    return {rule.check.id for catalog in catalogs for rule in catalog.rules}


class Seen:
    """What was seen so far."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._right: dict[str, set[str]] = {"pass": set(), "fail": set()}
        self._wrong: set[str] = set()

    def add(self, right: Verdicts, wrong: Verdicts) -> None:
        """The checks by their verdicts on what is right, and on what was broken."""
        for verdict, names in self._right.items():
            names |= right[verdict]
        self._wrong |= wrong["fail"]

    def record(self) -> None:
        """Of a run that looked at every part: one that left some out has nothing to say of them."""
        passed = self._right["pass"]
        if all(ids(catalog) & passed and ids(catalog) & self._wrong for catalog in LOOKED_AT):
            every = ids(*LOOKED_AT, rotation.CATALOG, rotation.STORE)
            alone = len(every & passed & self._right["fail"])
            figures.record(
                "audit.checks_seen",
                len(every & passed & self._wrong),
                unit="checks",
                of=len(every),
                target=">= 60",
                seconds=time.monotonic() - self._began,
                command="make test-full",
                control={"what": "the parts that are right, alone", "value": alone, "red": alone < 60},
            )
