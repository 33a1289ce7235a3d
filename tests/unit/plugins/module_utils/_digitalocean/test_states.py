# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a droplet of a fleet should be: tables, no account."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import states
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.health import complaint
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import FleetSpec, Health, fleet_spec

OLD = {
    "size": "s-1",
    "image": "debian-12-x64",
    "region": "fra1",
    "vpc": "v1",
    "tags": ["web"],
    "monitoring": False,
    "backups": False,
    "ipv6": True,
    "ready": True,
}
DROPLET: dict[str, Any] = {
    "status": "active",
    "size_slug": "s-1",
    "region": {"slug": "fra1"},
    "image": {"id": 7, "slug": "debian-12-x64"},
    "features": ["ipv6"],
    "vpc_uuid": "v1",
    "tags": ["web", "groundcrew:replacement"],
}


def spec(**more: Any) -> FleetSpec:
    return FleetSpec(**{"tag": "web", "prefix": "web", "count": 1, **more})


@pytest.mark.parametrize(
    ("more", "vpc", "changed"),
    [
        ({"image": "debian-13-x64"}, None, {"image": "debian-13-x64"}),
        ({"region": "ams3"}, None, {"region": "ams3"}),
        ({}, "v2", {"vpc": "v2"}),
        ({"monitoring": True}, None, {"monitoring": True}),
        ({"ipv6": False}, None, {"ipv6": False}),
        ({"image": "debian-13-x64", "size": "s-2"}, None, {"image": "debian-13-x64", "size": "s-2"}),
    ],
    ids=str,
)
def test_what_is_fixed_at_creation_takes_another_droplet(more: dict[str, Any], vpc: str | None, changed: dict[str, Any]) -> None:
    with pytest.raises(OpsError, match="replace=true"):
        states.staying(spec(**more), "web-1", OLD, vpc)
    want = states.staying(spec(replace=True, **more), "web-1", OLD, vpc)
    assert want == {**OLD, **changed, "ssh_keys": []}
    assert states.is_replaced(OLD, want)
    with pytest.raises(OpsError, match="'protect'"):
        states.staying(spec(replace=True, **more), "web-1", {**OLD, "tags": ["protect", "web"]}, vpc)


@pytest.mark.parametrize("more", [{"tags": ("app",)}, {"backups": True}, {"size": "s-2", "resize": True}, {"backup_policy": {"plan": "daily"}}], ids=str)
def test_everything_else_is_changed_in_place(more: dict[str, Any]) -> None:
    want = states.staying(spec(replace=True, **more), "web-1", OLD, None)
    assert want != OLD
    assert not states.is_replaced(OLD, want)


def test_a_replacement_that_is_there_is_used_if_it_is_the_one_that_is_wanted() -> None:
    assert states.fits(spec(vpc="v1"), DROPLET, OLD)
    for other in ({"image": "debian-13-x64"}, {"size": "s-2"}, {"vpc": "v2"}, {"ipv6": False}):
        assert not states.fits(spec(vpc="v1"), DROPLET, {**OLD, **other})


def test_marks_are_no_tags() -> None:
    assert states.present(spec(), DROPLET)["tags"] == ["web"]
    assert states.unfinished(DROPLET) == ["replacement"]


def test_reserved_ips_go_by_the_order_of_numbers() -> None:
    given = states.belongings(spec(reserved_ips=("a", "b")), ["web-10", "web-2", "web-1"])
    assert {name: state["reserved_ip"] for name, state in given.items()} == {"web-1": "a", "web-2": "b", "web-10": None}


def test_a_volume_is_not_shared() -> None:
    assert states.belongings(spec(volumes=("{name}-b", "{name}-a")), ["web-1"]) == {"web-1": {"volumes": ["web-1-a", "web-1-b"]}}
    with pytest.raises(OpsError, match=r"data has to have \{name\} in it"):
        states.belongings(spec(volumes=("data", "{name}-a")), ["web-1", "web-2"])


def test_a_droplet_without_the_address_that_is_asked_is_not_healthy() -> None:
    assert complaint(Health(address="private"), {"networks": {"v4": []}}) == "it has no private address"


@pytest.mark.parametrize(("params", "said"), [({"count": None}, "count is missing"), ({"replace_batch": 0}, "replace_batch")], ids=str)
def test_what_would_remove_everything_or_do_nothing_is_refused(params: dict[str, Any], said: str) -> None:
    given = {"state": "present", "name_prefix": "web", "count": 1, "replace_batch": 1, **params}
    with pytest.raises(OpsError, match=said):
        fleet_spec(given)
