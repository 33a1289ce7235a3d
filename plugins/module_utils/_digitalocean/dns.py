# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains, and the records of one name and type as one set."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, NotFoundError, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.creation import create_once
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import Kind, Resource

# What stands before the data in a value, in the order of a zone file.
LEADING = {"MX": ("priority",), "SRV": ("priority", "weight", "port"), "CAA": ("flags", "tag")}
HOST_NAMES = ("CNAME", "MX", "NS", "SRV")
FORMS = {"MX": "10 mail.example.com.", "SRV": "10 60 5060 sip.example.com.", "CAA": '0 issue "letsencrypt.org"'}
SHOWN = ("domain", "name", "type", "data", "ttl")

DOMAIN = Kind(
    noun="domain",
    key="domain",
    plural="domains",
    collection="/v2/domains",
    state=lambda found: {"name": found["name"], "ttl": found.get("ttl")},
    shown=("name", "ttl"),
    create=lambda state: {"name": state["name"]},
    address=lambda found: str(found["name"]),
)


def domain(params: Mapping[str, Any]) -> Resource:
    return Resource(connect(params), DOMAIN, {"name": host_name(params["name"])}, present=params["state"] == "present")


def host_name(name: str) -> str:
    return name.lower().removesuffix(".")


def parse(domain: str, type_: str, value: str) -> dict[str, Any]:
    """The fields of a record for a value as a zone file has it. Raises OpsError for one that does not fit its type."""
    leading = LEADING.get(type_, ())
    words = value.split(maxsplit=len(leading)) if leading else [value]
    record: dict[str, Any] = {}
    try:
        if len(words) != len(leading) + 1:
            raise ValueError(value)
        for field, word in zip(leading, words, strict=False):
            record[field] = word if field == "tag" else int(word)
        data = words[-1]
        if type_ in ("A", "AAAA"):
            data = str((ipaddress.IPv4Address if type_ == "A" else ipaddress.IPv6Address)(data))
    except ValueError as error:
        form = FORMS.get(type_, "an IPv4 address" if type_ == "A" else "an IPv6 address")
        raise OpsError(f"{value!r} is no value of a record of the type {type_}: it has to look like {form}.", field="data") from error
    if type_ == "CAA":
        data = data.strip('"')
    if type_ in HOST_NAMES:
        data = domain if data == "@" else host_name(data)
    return {**record, "data": data}


def text(domain: str, record: Mapping[str, Any]) -> str:
    """A record's value as a zone file has it: one way to write each."""
    type_ = record["type"]
    data = record["data"]
    if type_ in HOST_NAMES:
        data = f"{domain if data == '@' else host_name(data)}."
    elif type_ == "CAA":
        data = f'"{data.removesuffix(".")}"'
    return " ".join([*(str(record[field]) for field in LEADING.get(type_, ())), data])


def canonical(domain: str, type_: str, value: str) -> str:
    return text(domain, {"type": type_, **parse(domain, type_, value)})


def _body(domain: str, type_: str, name: str, value: str, ttl: int | None) -> dict[str, Any]:
    # The specification wants fields that a type does not have, too, and takes null for them.
    record = {"type": type_, "name": name, **dict.fromkeys(("priority", "port", "weight", "flags", "tag")), **parse(domain, type_, value)}
    if type_ in HOST_NAMES or (type_ == "CAA" and record["tag"] != "iodef"):
        record["data"] += "."
    return record if ttl is None else {**record, "ttl": ttl}


def state_of(domain: str, name: str, type_: str, records: Sequence[Object]) -> dict[str, Any]:
    """A set of records; its time to live is a list when the records do not agree."""
    lives = sorted({int(record["ttl"]) for record in records})
    values = sorted(text(domain, record) for record in records)
    return {"domain": domain, "name": name, "type": type_, "data": values, "ttl": lives[0] if len(lives) == 1 else lives}


class RecordSet:
    """All records of one name and type, made equal to the declared values.

    ttl: None leaves it as it is.
    """

    def __init__(
        self, client: Client, domain: str, name: str, type_: str, values: Iterable[str], ttl: int | None, *, present: bool, clock: Clock | None = None
    ) -> None:
        self._client, self._domain, self._type, self._ttl, self._present = client, host_name(domain), type_, ttl, present
        self._name = name.lower()
        self._values = sorted({canonical(self._domain, type_, value) for value in values})
        self._clock = clock or Clock()
        self._records: list[dict[str, Any]] = []
        self._lacks_domain = False

    def read(self) -> State | None:
        try:
            found = self._client.list(self._where(), "domain_records", {"type": self._type})
        except NotFoundError:
            self._lacks_domain, found = True, []
        self._records = [record for record in found if (record["name"].lower(), record["type"]) == (self._name, self._type)]
        return state_of(self._domain, self._name, self._type, self._records) if self._records else None

    def desired(self, current: State | None) -> State | None:
        if not self._present:
            return None
        ttl = {} if self._ttl is None else {"ttl": self._ttl}
        return {"domain": self._domain, "name": self._name, "type": self._type, "data": self._values, **ttl}

    def apply(self, planned: Plan) -> None:
        if self._lacks_domain:
            raise OpsError(f"The account has no domain {self._domain}. Create it with do_domain first.", field="domain")
        wanted = list(planned.after["data"]) if planned.after else []
        surplus = []
        for record in self._records:
            value = text(self._domain, record)
            if value not in wanted:
                surplus.append(record)
                continue
            wanted.remove(value)
            if self._ttl not in (None, record["ttl"]):
                self._put(record, value)
        # In place first, so that a name is at no moment without an answer; a CNAME can be replaced in no other way.
        while surplus and wanted:
            self._put(surplus.pop(), wanted.pop())
        for value in wanted:
            self._add(value)
        for record in surplus:
            self._delete(record)

    def result(self, state: State | None) -> Mapping[str, Any]:
        return {"domain_record": None if state is None else {key: state.get(key) for key in SHOWN}}

    def _where(self, *below: Any) -> str:
        return path("domains", self._domain, "records", *below)

    def _put(self, record: Object, value: str) -> None:
        ttl = record["ttl"] if self._ttl is None else self._ttl
        self._client.put(self._where(record["id"]), _body(self._domain, self._type, self._name, value, ttl))

    def _add(self, value: str) -> None:
        live = self._ttl if self._ttl is not None or not self._records else self._records[0]["ttl"]
        body = _body(self._domain, self._type, self._name, value, live)

        def missing(values: Sequence[str]) -> list[str]:
            state = self.read() or {"data": []}
            return [one for one in values if one not in state["data"]]

        create_once([value], lambda _values: self._client.post(self._where(), body), missing, self._clock)

    def _delete(self, record: Object) -> None:
        try:
            self._client.delete(self._where(record["id"]))
        except NotFoundError:
            return  # somebody was faster


def domain_record(params: Mapping[str, Any]) -> RecordSet:
    present = params["state"] == "present"
    values = params["data"] or []
    if present and not values:
        raise OpsError("data is empty. Give what the name should have, or state=absent to remove its records.", field="data")
    if present and params["type"] == "CNAME" and len(values) > 1:
        raise OpsError("A CNAME has one value, because it stands for one other name.", field="data")
    return RecordSet(connect(params), params["domain"], params["name"], params["type"], values if present else (), params["ttl"], present=present)


def domain_records(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The sets of records of a domain, by name and type."""
    name = host_name(params["domain"])
    sets: dict[tuple[str, str], list[Object]] = {}
    for record in connect(params).list(path("domains", name, "records"), "domain_records"):
        if params["name"] in (None, record["name"]) and params["type"] in (None, record["type"]):
            sets.setdefault((record["name"], record["type"]), []).append(record)
    return {"domain_records": [state_of(name, *key, records) for key, records in sorted(sets.items())]}
