# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin, as ansible-inventory runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.do_inprocess import Account

DROPLET = {"size": "s-1vcpu-1gb", "image": "debian-13-x64", "region": "fra1"}
SHOP = {"tag": "shop"}


class Inventory:
    """Runs ansible-inventory over a configuration of the plugin."""

    def __init__(self, account: Account, work: Path) -> None:
        self._account = account
        self._file = work / "droplets.yml"

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        self._file.write_text(json.dumps({"plugin": "groundcrew.ops.droplets", **options}))
        command = [str(Path(sys.executable).parent / "ansible-inventory"), "--inventory", str(self._file), *arguments]
        env = {**os.environ, **self._account.env, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1"}
        return subprocess.run(command, env=env, cwd=self._file.parent, capture_output=True, text=True, check=False)

    def list(self, *arguments: str, **options: Any) -> dict[str, Any]:
        done = self.run("--list", *arguments, **options)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))


@pytest.fixture
def inventory(account: Account, tmp_path: Path) -> Inventory:
    return Inventory(account, tmp_path)


def plain(value: Any) -> Any:
    """ansible-inventory says of each text whether it may be a template; none of these may."""
    return value["__ansible_unsafe"] if isinstance(value, dict) else value


def order(account: Account, *names: str, **changes: Any) -> None:
    for start in range(0, len(names), 10):
        status, answer = account.request("POST", "/v2/droplets", {**DROPLET, "names": names[start : start + 10], **changes})
        assert status == 202, answer
    account.request("GET", "/v2/droplets")  # they have booted


def test_every_page_every_group_and_what_is_composed(account: Account, inventory: Inventory) -> None:
    vpc = account.request("POST", "/v2/vpcs", {"name": "shop-net", "region": "fra1"})[1]["vpc"]["id"]
    order(account, *(f"web-{number}" for number in range(201)), tags=["shop", "app"], vpc_uuid=vpc, ipv6=True)
    order(account, "db-1", tags=["shop"], size="s-2vcpu-4gb", vpc_uuid=vpc)
    account.control("DELETE", "calls")
    seen = inventory.list(
        address="private",
        filters=["do_name != 'web-200'"],
        compose={"ansible_user": "'root'", "fails": "nowhere.to_be_found"},
        groups={"big": "do_size == 's-2vcpu-4gb'"},
        keyed_groups=[{"key": "do_tags", "prefix": "", "separator": ""}],
    )
    assert account.calls() == {"GET /v2/droplets": 2, "GET /v2/vpcs": 1}
    hosts = seen["_meta"]["hostvars"]
    assert len(hosts) == 201 and "web-200" not in hosts
    for group, count in {
        "tag_app": 200,
        "app": 200,
        "shop": 201,
        "region_fra1": 201,
        "size_s_1vcpu_1gb": 200,
        "status_active": 201,
        "vpc_shop_net": 201,
    }.items():
        assert len(seen[group]["hosts"]) == count, group
    assert seen["big"]["hosts"] == ["db-1"]
    one = hosts["web-199"]
    assert (plain(one["ansible_user"]), plain(one["do_vpc_name"]), plain(one["do_vpc"])) == ("root", "shop-net", vpc)
    assert one["ansible_host"] == one["do_private_address"]
    assert plain(one["do_ipv6_address"]).startswith("2001:db8:")
    assert "fails" not in one
    strict = inventory.run("--list", strict=True, compose={"fails": "nowhere.to_be_found"})
    assert strict.returncode != 0
    assert "nowhere" in strict.stderr


def test_droplets_that_are_none_of_its_business_do_not_break_it(account: Account, inventory: Inventory) -> None:
    """Two of one name, one without an address, and a replacement that waits for its turn."""
    order(account, "web-1", tags=["shop"])
    order(account, "twin", "twin", tags=["others"])
    account.request("POST", "/v2/droplets", {**DROPLET, "name": "web-1", "tags": ["shop", "groundcrew:replacement"]})
    account.request("POST", "/v2/droplets", {**DROPLET, "name": "web-2", "tags": ["shop", "groundcrew:replacement"]})
    account.control("PUT", "settings", {"boot_seconds": 100})
    account.request("POST", "/v2/droplets", {**DROPLET, "name": "booting", "tags": ["shop"]})
    for options in ({"tag": "shop"}, {"filters": ["'shop' in do_tags"]}):
        hosts = inventory.list(**options)["_meta"]["hostvars"]
        assert sorted(hosts) == ["booting", "web-1", "web-2"]
        assert "ansible_host" not in hosts["booting"]
    both = inventory.run("--list")
    assert both.returncode != 0
    assert "two droplets named twin" in both.stderr


def test_the_cache_spares_the_calls_until_it_is_flushed(account: Account, inventory: Inventory, tmp_path: Path) -> None:
    order(account, "web-1", tags=["shop"])
    cached = {**SHOP, "cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache"), "cache_timeout": 3600}
    first = inventory.list(**cached)
    account.control("DELETE", "calls")
    order(account, "web-2", tags=["shop"])
    account.control("DELETE", "calls")
    assert inventory.list(**cached) == first
    assert account.calls() == {}
    assert sorted(inventory.list("--flush-cache", **cached)["_meta"]["hostvars"]) == ["web-1", "web-2"]
    assert account.env["DIGITALOCEAN_TOKEN"] not in "".join(each.read_text() for each in (tmp_path / "cache").iterdir())


def test_an_empty_account_and_a_wrong_token(account: Account, inventory: Inventory, monkeypatch: pytest.MonkeyPatch) -> None:
    assert inventory.list()["_meta"]["hostvars"] == {}
    monkeypatch.setitem(os.environ, "DIGITALOCEAN_TOKEN", "dop_v1_" + "0" * 64)
    refused = inventory.run("--list", api_token="{{ 'dop_v1_' ~ '0' * 64 }}")
    assert refused.returncode != 0
    assert "DIGITALOCEAN_TOKEN" in refused.stderr
