# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that people use, turned into the ids that the API wants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import certificate_name
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.policy import unique

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FINGERPRINT = re.compile(r"([0-9a-f]{2}:){15}[0-9a-f]{2}")


def vpc_id(client: Client, vpc: str | None) -> str | None:
    """The id of a VPC by name or id; a name that does not exist (yet) stays a name."""
    if vpc is None or UUID.fullmatch(vpc):
        return vpc
    found = unique("VPC", (each for each in client.list("/v2/vpcs", "vpcs") if each["name"] == vpc))
    return str(found[vpc]["id"]) if found else vpc


def require_vpc_id(vpc: str) -> str:
    """What must be an id by the time something is created."""
    if not UUID.fullmatch(vpc):
        raise OpsError(f"There is no VPC named {vpc}. Create it with do_vpc, or name one that exists.", vpc=vpc)
    return vpc


def ssh_key_ids(client: Client, wanted: Iterable[str]) -> list[int | str]:
    """Ids of SSH keys by name, fingerprint or id."""
    wanted = list(wanted)
    named = [key for key in wanted if not key.isdigit() and not FINGERPRINT.fullmatch(key)]
    if not named:
        return [int(key) if key.isdigit() else key for key in wanted]
    known = unique("SSH key", (key for key in client.list("/v2/account/keys", "ssh_keys") if key["name"] in named))
    missing = [name for name in named if name not in known]
    if missing:
        raise OpsError(f"The account has no SSH key named {', '.join(missing)}. Add it with do_ssh_key, or name one that exists.", missing=missing)
    return [known[key]["id"] if key in known else int(key) if key.isdigit() else key for key in wanted]


def droplet_ids(client: Client, names: Iterable[str]) -> dict[str, str]:
    """Ids of droplets by name, for those that exist; digits are ids already."""
    names = set(names)
    ids = {name: name for name in names if name.isdigit()}
    if names - set(ids):
        found = unique("droplet", (each for each in client.list("/v2/droplets", "droplets") if each["name"] in names))
        ids.update({name: str(each["id"]) for name, each in found.items()})
    return ids


def droplet_number(client: Client, droplet: str) -> int | str:
    """The id of a droplet by name or id; a name that does not exist (yet) stays a name."""
    found = droplet_ids(client, [droplet]).get(droplet)
    return droplet if found is None else int(found)


def require_droplet_id(droplet: int | str) -> int:
    """What must be an id by the time something is done with it."""
    if not isinstance(droplet, int):
        raise OpsError(f"There is no droplet named {droplet}. Create it with do_droplet, or name one that exists.", droplet=droplet)
    return droplet


def certificates_named(client: Client, names: Iterable[str]) -> dict[str, list[Mapping[str, Any]]]:
    """The TLS certificates of each name, the oldest first: more than one while do_certificate exchanges them."""
    known = client.list("/v2/certificates", "certificates")
    found = {name: unique("certificate", (each for each in known if name in (each["name"], certificate_name(each)))) for name in names}
    return {name: sorted(each.values(), key=lambda one: (str(one["created_at"]), str(one["id"]))) for name, each in found.items()}


def certificate_ids(client: Client, names: Iterable[str]) -> dict[str, str]:
    """Ids of TLS certificates by name, for those that exist; a UUID is an id already."""
    ids = {name: name for name in set(names) if UUID.fullmatch(name)}
    named = set(names) - set(ids)
    for name, found in certificates_named(client, named).items() if named else ():
        if len(found) > 1:
            listed = ", ".join(each["name"] for each in found)
            raise OpsError(f"The certificate {name} is being exchanged ({listed}). Run do_certificate for it again, which finishes that.", certificate=name)
        if found:
            ids[name] = str(found[0]["id"])
    return ids


def app_ids(client: Client, names: Iterable[str]) -> dict[str, str]:
    """Ids of App Platform apps by name, for those that exist; a UUID is an id already."""
    names = set(names)
    ids = {name: name for name in names if UUID.fullmatch(name)}
    if names - set(ids):
        apps = ({"name": each["spec"]["name"], "id": each["id"]} for each in client.list("/v2/apps", "apps"))
        ids.update({name: str(each["id"]) for name, each in unique("app", (each for each in apps if each["name"] in names)).items()})
    return ids


def ensure_tags(client: Client, tags: Iterable[str]) -> None:
    """Make tags known, so that a rule may name one that nothing has yet."""
    wanted = set(tags)
    if not wanted:
        return
    known = {str(tag["name"]).lower() for tag in client.list("/v2/tags", "tags")}
    for tag in sorted(wanted):
        if tag.lower() not in known:
            client.post("/v2/tags", {"name": tag})


def require_offer(client: Client, size: str, region: str, image: str) -> None:
    """Refuse, before anything is created, what the account cannot order. Says what it can."""
    sizes: Mapping[str, Any] = {each["slug"]: each for each in client.list("/v2/sizes", "sizes")}
    regions = {each["slug"]: each for each in client.list("/v2/regions", "regions")}
    if region not in regions or not regions[region].get("available", True):
        offered = sorted(slug for slug, each in regions.items() if each.get("available", True))
        raise OpsError(f"region {region!r} is not offered. Offered: {', '.join(offered)}.", field="region", offered=offered)
    if size not in sizes or region not in sizes[size]["regions"] or not sizes[size].get("available", True):
        offered = sorted(slug for slug, each in sizes.items() if region in each["regions"] and each.get("available", True))
        raise OpsError(f"size {size!r} is not offered in region {region}. Offered there: {', '.join(offered)}.", field="size", offered=offered)
    try:
        client.get(f"/v2/images/{image}")
    except OpsError as error:
        if error.details.get("status") != 404:
            raise
        raise OpsError(
            f"image {image!r} does not exist. Name a public image by its slug (such as debian-13-x64), or one of the account's by its id.", field="image"
        ) from error


def cluster_id(client: Client, name: str) -> str | None:
    """The id of a database cluster by name or id, None when there is none of that name (yet)."""
    found = find_cluster(client, name)
    return str(found["id"]) if found else None


def find_cluster(client: Client, name: str) -> Mapping[str, Any] | None:
    """A database cluster by name or id."""
    found = unique("database cluster", (each for each in client.list("/v2/databases", "databases") if name in (each["name"], each["id"])))
    return next(iter(found.values()), None)
