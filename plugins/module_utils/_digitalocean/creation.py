# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating without creating twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import AmbiguousError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Clock

ATTEMPTS = 3
# Seconds in which a request without an answer still becomes visible in a list.
SETTLE = 10.0
LOOK_EVERY = 2.0


def create_once(
    names: Sequence[str],
    create: Callable[[Sequence[str]], object],
    missing: Callable[[Sequence[str]], list[str]],
    clock: Clock,
    *,
    doing: str = "Creating",
) -> None:
    """Create objects by name. After a request without an answer, look before asking for what is still missing.

    missing: those of the names that the account does not hold.
    doing: what an error calls it.
    """
    wanted = list(names)
    for _attempt in range(ATTEMPTS):
        try:
            create(wanted)
            return
        except AmbiguousError:
            wanted = settled(wanted, missing, clock)
            if not wanted:
                return
    raise OpsError(
        f"{doing} {', '.join(wanted)} got no answer {ATTEMPTS} times, and the account does not show it."
        " Check the API's status and run again: what was done by then is found, not done twice.",
        missing=wanted,
    )


def settled(wanted: list[str], missing: Callable[[Sequence[str]], list[str]], clock: Clock) -> list[str]:
    """Those of the names that the account does not hold, once a request without an answer has had its time to show."""
    deadline = clock.monotonic() + SETTLE
    left = missing(wanted)
    while left and clock.monotonic() < deadline:
        clock.sleep(LOOK_EVERY)
        left = missing(left)
    return left
