# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be undone is refused, and what cannot be done yet is left to a run that waits."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.cluster import CLUSTER
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.managed import Managed, refuse_less
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import Patience

WINDOW = {"day": "sunday", "hour": "03:00"}
NOW: dict[str, Any] = {
    **{"name": "pg", "version": "16", "size": "small", "num_nodes": 1, "storage_size_mib": 10240},
    **{"trusted_sources": [], "maintenance_window": None, "ready": True},
}


@pytest.mark.parametrize(
    ("wanted", "upgrade", "said"),
    [
        ({"version": "16"}, False, None),
        ({"version": "17"}, True, None),
        ({"version": "17"}, False, "upgrade=true"),
        ({"version": "15"}, True, "no way back to 15"),
        ({"version": "9.6"}, True, "no way back to 9.6"),
        ({"storage_size_mib": 20480}, False, None),
        ({"storage_size_mib": 1024}, False, "only grows"),
        ({}, False, None),
    ],
)
def test_what_cannot_be_undone_is_refused(wanted: dict[str, Any], upgrade: bool, said: str | None) -> None:
    if said is None:
        refuse_less("cluster", "pg", NOW, wanted, upgrade=upgrade)
        return
    with pytest.raises(OpsError, match=said):
        refuse_less("cluster", "pg", NOW, wanted, upgrade=upgrade)


class Nobody:
    def request(self, method: str, path: str, body: Any = None) -> Any:
        raise AssertionError(f"{method} {path}")


def wanted_of(current: dict[str, Any] | None, *, wait: bool) -> set[str]:
    wanted = {"name": "pg", "version": "17", "size": "large", "maintenance_window": WINDOW, "restore_from": {"cluster": "other"}}
    cluster = Managed(Client(Nobody()), CLUSTER, wanted, given=("restore_from",), upgrade=True, present=True, patience=Patience(wait=wait))
    return set(cluster.desired(current) or {}) - {"name"}


def test_what_a_run_that_does_not_wait_leaves_to_one_that_does() -> None:
    everything = {"version", "size", "maintenance_window"}
    assert wanted_of(None, wait=True) == {*everything, "restore_from", "ready"}
    assert wanted_of(None, wait=False) == {"version", "size", "restore_from"}, "the window needs a cluster that is online"
    assert wanted_of(NOW, wait=True) == {*everything, "ready"}
    assert wanted_of(NOW, wait=False) == {"size", "maintenance_window"}, "an upgrade is refused while a resize lasts"
    assert wanted_of({**NOW, "ready": False}, wait=False) == set()
