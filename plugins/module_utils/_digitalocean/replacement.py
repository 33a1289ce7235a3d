# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Droplets that take the place of others: the new ones first, the old ones only when the new ones answer.

Both have the same name, so a host is called by it from its first boot. The mark tells the new one from the old one, and every step shows
in the account: old without new is not begun, old and new is in progress, new with the mark alone has its mark taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import policy, states
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.droplets import Droplets
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.health import require_healthy
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import REPLACEMENT, FleetSpec
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.policy import State
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object


class Replacement:
    """Replaces members a batch at a time.

    hand_over: moves what belongs to a name, such as its reserved IP, to the new droplets, before the old ones go.
    """

    def __init__(self, droplets: Droplets, spec: FleetSpec, clock: Clock, hand_over: Callable[[Mapping[str, Object]], None]) -> None:
        self._droplets = droplets
        self._spec = spec
        self._clock = clock
        self._hand_over = hand_over

    def clear(self, replaced: Sequence[str]) -> None:
        """Finish what an earlier run left of a replacement, and remove new droplets that nobody wants any more."""
        alone = [name for name in self._droplets.coming if name not in self._droplets.current]
        self._settle(alone)
        stale = [name for name in self._droplets.coming if name not in replaced]
        self._droplets.delete(self._droplets.coming[name] for name in stale)

    def run(self, wanted: Mapping[str, State]) -> None:
        for batch in policy.batches(list(wanted), self._spec.replace_batch):
            self._replace({name: wanted[name] for name in batch})

    def _replace(self, wanted: Mapping[str, State]) -> None:
        there = self._droplets.coming
        stale = [name for name in wanted if name in there and not states.fits(self._spec, there[name], wanted[name])]
        self._droplets.delete(there[name] for name in stale)
        missing = {name: state for name, state in wanted.items() if name not in self._droplets.coming}
        self._droplets.create(missing, REPLACEMENT)
        self._droplets.wait_ready(wanted, among=lambda: self._droplets.coming)
        for name in wanted:
            self._require_healthy(name)
        self._hand_over({name: self._droplets.coming[name] for name in wanted})
        self._droplets.delete(self._droplets.current[name] for name in wanted)
        self._settle(list(wanted))

    def _require_healthy(self, name: str) -> None:
        try:
            require_healthy(self._spec.replace_health, self._droplets.coming[name], self._clock)
        except OpsError as error:
            raise OpsError(
                f"{error.message} The replacement of {name} stopped: the old droplet still works under this name, the new one was left beside it"
                " to be looked at, and the rest of the fleet was not touched. Run again to go on with it; declare the old values and run to remove it.",
                droplet=name,
                replacement=self._droplets.coming[name]["id"],
            ) from error

    def _settle(self, names: Sequence[str]) -> None:
        if names:
            self._droplets.untag(REPLACEMENT, [self._droplets.coming[name] for name in names])
            self._droplets.look()
