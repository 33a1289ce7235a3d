# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: droplets
short_description: The droplets of a DigitalOcean account as hosts
version_added: 0.1.0
description:
  - Reads every page of the account's droplets and makes each a host, named as the droplet.
  - Makes the groups C(tag_<tag>), C(region_<region>), C(size_<size>), C(status_<status>) and C(vpc_<name>).
  - Sets the variables C(do_id), C(do_name), C(do_status), C(do_region), C(do_size), C(do_image), C(do_vpc), C(do_vpc_name), C(do_tags),
    C(do_created_at), C(do_public_address), C(do_private_address), C(do_ipv6_address) and, from O(address), C(ansible_host).
  - The file of the configuration has a name that ends in C(droplets.yml) or C(droplets.yaml).
  - An account without droplets is an empty inventory, not an error.
  - Two droplets of one name are an error if O(tag) and O(filters) let both of them pass. One that M(groundcrew.ops.do_droplet) is about to put in
    the place of another (it has the tag C(groundcrew:replacement)) is no host until the other one is gone.
  - It takes one call for each 200 droplets and one for the VPCs; up to ten of them are under way at a time.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description:
      - Says that the file is for this plugin.
    type: str
    required: true
    choices: [groundcrew.ops.droplets]
  api_token:
    description:
      - A personal access token of the DigitalOcean account. May be a template.
    type: str
    env:
      - name: DIGITALOCEAN_TOKEN
      - name: DO_API_TOKEN
  api_url:
    description:
      - Where the API is.
    type: str
    default: https://api.digitalocean.com
    env:
      - name: DIGITALOCEAN_API_URL
  api_timeout:
    description:
      - Seconds to wait for the answer to one request.
    type: int
    default: 30
  address:
    description:
      - The address that Ansible connects to. Without one of the kind, the other is used.
    type: str
    choices: [public, private]
    default: public
  tag:
    description:
      - Only droplets with this tag; asked of the API, so others are not even read.
    type: str
  filters:
    description:
      - Jinja conditions on the variables of a host. A droplet is a host if all of them hold.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
# droplets.yml: every droplet of the shop; a droplet with the tag "app" is in the groups "tag_app" and "app"
plugin: groundcrew.ops.droplets
tag: shop-production
address: private
filters:
  - do_status == "active"
keyed_groups:
  - key: do_tags
    prefix: ""
    separator: ""
compose:
  ansible_user: "'root'"
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import REPLACEMENT, address, comparable, marked
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.policy import unique

# group prefix: the variable with its name or names
GROUPED = {"tag": "do_tags", "region": "do_region", "size": "do_size", "status": "do_status", "vpc": "do_vpc_name"}


def _standing(droplets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without those that are being destroyed, and those that are about to take the place of one that is still there."""
    alive = [each for each in droplets if each.get("status") != "archive"]
    taken = {each["name"] for each in alive if not marked(each, REPLACEMENT)}
    return [each for each in alive if not (marked(each, REPLACEMENT) and each["name"] in taken)]


def host_variables(droplet: dict[str, Any], vpcs: dict[str, str], preferred: str) -> dict[str, Any]:
    """What a host knows of its droplet. vpcs: names by id."""
    public, private = address(droplet, "public"), address(droplet, "private")
    state = comparable(droplet)
    variables = {f"do_{key}": state[key] for key in ("size", "image", "region", "vpc", "tags")}
    variables.update(
        do_id=droplet["id"],
        do_name=droplet["name"],
        do_status=droplet["status"],
        do_created_at=droplet.get("created_at"),
        do_public_address=public,
        do_private_address=private,
        do_ipv6_address=address(droplet, "public", "v6"),
        do_vpc_name=vpcs.get(state["vpc"], state["vpc"]),
    )
    chosen = (private or public) if preferred == "private" else (public or private)
    if chosen:
        variables["ansible_host"] = chosen
    return variables


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "groundcrew.ops.droplets"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("droplets.yml", "droplets.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self._groups: dict[str, str] = {}
        preferred = self.get_option("address")
        try:
            seen = self._seen(path, cache)
            hosts = [host_variables(droplet, seen["vpcs"], preferred) for droplet in seen["droplets"]]
            chosen = unique("droplet", ({"name": host["do_name"], "id": host["do_id"], "host": host} for host in hosts if self._is_wanted(host)))
        except OpsError as error:
            raise AnsibleParserError(f"{path}: {error.message}") from error
        for name in sorted(chosen):
            self._add(name, chosen[name]["host"])

    def _seen(self, path: str, cache: bool) -> dict[str, Any]:
        """The droplets, and the names of the VPCs by id; from the cache if that is wanted and has them."""
        self.load_cache_plugin()
        key = self.get_cache_key(f"{path}:{self.get_option('api_url')}:{self.get_option('tag')}")
        caching = self.get_option("cache")
        if caching and cache:
            try:
                return self._cache[key]
            except KeyError:
                pass  # not cached yet, or too old
        options = self.get_options()
        options["api_token"] = self.templar.template(options["api_token"]) if options["api_token"] else None
        client = connect(options)
        with ThreadPoolExecutor(1) as beside:
            vpcs = beside.submit(client.list, "/v2/vpcs", "vpcs")
            found = client.list("/v2/droplets", "droplets", {"tag_name": options["tag"]} if options["tag"] else None)
            seen = {"droplets": _standing(found), "vpcs": {each["id"]: each["name"] for each in vpcs.result()}}
        if caching:
            self._cache[key] = seen
        return seen

    def _is_wanted(self, variables: dict[str, Any]) -> bool:
        return all(self._holds(condition, variables) for condition in self.get_option("filters"))

    def _add(self, name: str, variables: dict[str, Any]) -> None:
        strict = self.get_option("strict")
        self.inventory.add_host(name)
        # Not by its name: that takes three times as long, and means a group where one has the droplet's name.
        host = self.inventory.get_host(name)
        for key, value in variables.items():
            host.set_variable(key, value)
        for prefix, key in GROUPED.items():
            value = variables[key]
            for each in value if isinstance(value, list) else [value]:
                self.inventory.add_host(name, self._group(f"{prefix}_{each}"))
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)

    def _group(self, wanted: str) -> str:
        """The group of a name, made at its first use: thousands of hosts share a few."""
        if wanted not in self._groups:
            self._groups[wanted] = self.inventory.add_group(self._sanitize_group_name(wanted))
        return self._groups[wanted]

    def _holds(self, condition: str, variables: dict[str, Any]) -> bool:
        try:
            return bool(self._compose(condition, variables))
        except Exception as error:  # whatever the template engine raises, the operator wants to know which filter it was
            raise AnsibleParserError(f"The filter {condition!r} cannot be evaluated for droplet {variables['do_name']}: {error}") from error
