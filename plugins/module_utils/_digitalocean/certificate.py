# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS certificates. The API changes none, so another one is another object, and the load balancers that use the old one go over to it.

An object is named after the certificate and its content, such as shop-1f2e3d4c5b6a: names are unique in an account, and both exist for a while.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State, plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import load_balancer
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, NotFoundError, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.creation import create_once
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.lookup import certificates_named
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import certificate_mark, certificate_name
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import LOOK_EVERY, Kind, Patience, Resource

LETS_ENCRYPT, CUSTOM = "lets_encrypt", "custom"
PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


def fingerprint(leaf: str) -> str:
    """The SHA-1 fingerprint of a certificate in PEM, as the API tells it."""
    blocks = PEM.findall(leaf)
    if len(blocks) != 1:
        raise OpsError(
            f"leaf_certificate holds {len(blocks)} certificates in PEM, not one. Give the server's own certificate there and the others as certificate_chain.",
            field="leaf_certificate",
        )
    try:
        content = base64.b64decode("".join(blocks[0].split()), validate=True)
    except binascii.Error as error:
        raise OpsError(f"leaf_certificate is not a certificate in PEM: {error}.", field="leaf_certificate") from error
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def state_of(found: Object) -> dict[str, Any]:
    return {
        "id": found["id"],
        "name": certificate_name(found),
        "object_name": found["name"],
        "type": found["type"],
        "status": found["state"],
        "dns_names": sorted(found.get("dns_names") or []),
        "fingerprint": found["sha1_fingerprint"],
        "not_after": found["not_after"],
    }


# What the information module lists.
CERTIFICATE = Kind(
    noun="certificate",
    key="certificate",
    plural="certificates",
    collection="/v2/certificates",
    state=state_of,
    shown=("id", "name", "object_name", "type", "status", "dns_names", "fingerprint", "not_after"),
    create=dict,
)


class Certificate:
    """A certificate by name. wanted: what it should be, compared; order: what else the request that creates it needs, the private key for one."""

    def __init__(
        self, client: Client, name: str, wanted: State, order: Mapping[str, Any], *, present: bool, timeout: float = 1800.0, clock: Clock | None = None
    ) -> None:
        self._client = client
        self._name = name
        self._wanted = wanted
        self._order = order
        self._present = present
        self._patience = Patience(timeout=timeout)
        self._clock = clock or Clock()
        self._found: Sequence[Object] = ()

    def read(self) -> State | None:
        self._found = self._look()
        if not self._found:
            return None
        shown = [*self._fitting(), self._found[-1]][0]
        return {
            **state_of(shown),
            "superseded": [each["name"] for each in self._found if each is not shown],
            "load_balancers": sorted(each["name"] for each in self._users(self._found)),
        }

    def desired(self, current: State | None) -> State | None:
        if not self._present:
            used = (current or {}).get("load_balancers")
            if used:
                raise OpsError(
                    f"The certificate {self._name} is used by load balancer {', '.join(used)}. Give that another certificate, or remove it first.",
                    load_balancers=used,
                )
            return None
        return {"name": self._name, **self._wanted, "status": "verified", "superseded": []}

    def apply(self, planned: Plan) -> None:
        new = self._have() if planned.after is not None else None
        old = [each for each in self._found if new is None or each["id"] != new["id"]]
        if new is not None:
            self._go_over(old, new)
        for each in old:
            self._remove(each)

    def result(self, state: State | None) -> Mapping[str, Any]:
        shown = (*CERTIFICATE.shown, "superseded", "load_balancers")
        return {"certificate": None if state is None else {key: state.get(key) for key in shown}}

    def _look(self) -> Sequence[Object]:
        return certificates_named(self._client, [self._name])[self._name]

    def _fitting(self) -> list[Object]:
        """Those that are what is wanted, and not failed."""
        return [each for each in self._found if self._wanted.items() <= state_of(each).items() and each["state"] != "error"]

    def _have(self) -> Object:
        """The wanted certificate, created if need be, once it can be used."""
        object_name = f"{self._name}-{certificate_mark(self._wanted)}"
        if not self._fitting():
            for each in self._found:
                if each["name"] == object_name:
                    self._remove(each)  # it failed
            order = {**self._order, "name": object_name, "type": self._wanted["type"]}
            create_once([object_name], lambda _names: self._client.post(CERTIFICATE.collection, order), self._missing, self._clock)

        def look() -> list[Object]:
            self._found = self._look()
            for each in self._found:
                if each["name"] == object_name and each["state"] == "error":
                    raise OpsError(
                        f"The certificate {self._name} for {', '.join(each.get('dns_names') or [])} could not be issued. The account has to have their domains"
                        " (do_domain), and their registrar has to name DigitalOcean's name servers. Then run again: one that failed is made anew.",
                        id=each["id"],
                    )
            return self._fitting()

        return wait_for(
            f"certificate {self._name} to be issued",
            look,
            lambda found: bool(found) and found[0]["state"] == "verified",
            timeout=self._patience.timeout,
            interval=LOOK_EVERY,
            clock=self._clock,
            describe=lambda found: str([each["state"] for each in found]),
        )[0]

    def _missing(self, names: Sequence[str]) -> list[str]:
        there = {each["name"] for each in self._look()}
        return [name for name in names if name not in there]

    def _users(self, certificates: Iterable[Object]) -> list[Object]:
        """The load balancers that use one of the certificates."""
        ids = {each["id"] for each in certificates}
        found = self._client.list(load_balancer.COLLECTION, "load_balancers")
        return [each for each in found if ids & {rule.get("certificate_id") for rule in each.get("forwarding_rules") or []}]

    def _go_over(self, old: Sequence[Object], new: Object) -> None:
        """Each load balancer that uses an old certificate goes over to the new one; all else that is set on it stays."""
        ids = {each["id"] for each in old}
        for user in self._users(old) if old else []:
            rules = load_balancer.state_of(user)["forwarding_rules"]
            wanted = {
                "name": user["name"],
                "forwarding_rules": [{**rule, "certificate_id": new["id"]} if rule.get("certificate_id") in ids else rule for rule in rules],
            }
            balancer = Resource(self._client, load_balancer.LOAD_BALANCER, wanted, present=True, patience=self._patience, clock=self._clock)
            before = balancer.read()
            balancer.apply(plan(before, balancer.desired(before)))

    def _remove(self, found: Object) -> None:
        try:
            self._client.delete(path("certificates", found["id"]))
        except NotFoundError:
            return  # somebody was faster


def certificate(params: Mapping[str, Any]) -> Certificate:
    leaf = params["leaf_certificate"]
    wanted: dict[str, Any] = {}
    order: dict[str, Any] = {}
    if leaf:
        wanted = {"type": CUSTOM, "fingerprint": fingerprint(leaf)}
        order = {key: params[key] for key in ("leaf_certificate", "private_key", "certificate_chain") if params[key]}
    elif params["dns_names"]:
        wanted = {"type": LETS_ENCRYPT, "dns_names": sorted({name.lower() for name in params["dns_names"]})}
        order = {"dns_names": wanted["dns_names"]}
    timeout = float(params["wait_timeout"])
    return Certificate(connect(params), params["name"], wanted, order, present=params["state"] == "present", timeout=timeout)
