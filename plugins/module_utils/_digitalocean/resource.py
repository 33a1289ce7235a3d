# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One engine for every object that is found by its name: a kind of object is data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import lookup
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, NotFoundError, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.creation import create_once
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object

LOOK_EVERY = 2.0  # seconds


def nothing_more(_client: Client, _found: Object) -> Mapping[str, Any]:
    """The list says everything about an object of this kind."""
    return {}


def no_preparation(_client: Client, _state: State) -> None:
    """An object of this kind needs nothing else."""


def always_ready(_found: Object) -> bool:
    """An object of this kind is there as soon as it is created."""
    return True


def attached_to_nothing(_found: Object) -> Any:
    """An object of this kind stands for itself."""
    return None


@dataclass(frozen=True)
class Update:
    """How some fields of an object that exists are changed: one request."""

    fields: tuple[str, ...]
    method: str
    below: str  # path below the object
    body: Callable[[State], Any]  # from the whole state that should be; None: there is nothing to send
    at_creation: bool = False  # the request that creates the object does not take these fields
    settles: bool = False  # takes effect some time after the answer
    detached: bool = False  # is refused as long as the object is attached to something


@dataclass(frozen=True)
class Kind:
    """A kind of object.

    noun: how people call it. key, plural: its names in answers. collection: its path, with {parent} for what it lies in.
    state: what can be compared, from an object in a list. shown: the fields that a task returns.
    create: the body of the request that creates it. updates: fields not named in one are fixed at creation.
    more: what needs another look. prepare: makes or requires what else has to exist, right before an act.
    ready: whether an object can be used. matches: whether an object is the one that is wanted.
    address: the last part of its path. title: what messages call the object that is wanted.
    detach: the body of the action that takes the object off what it is attached to, which has to precede its removal; None when it is not attached.
    tagged_as: its type among the resources of a tag, for a kind whose tags can be changed.
    """

    noun: str
    key: str
    plural: str
    collection: str
    state: Callable[[Object], dict[str, Any]]
    shown: tuple[str, ...]
    create: Callable[[State], dict[str, Any]]
    updates: tuple[Update, ...] = ()
    more: Callable[[Client, Object], Mapping[str, Any]] = nothing_more
    prepare: Callable[[Client, State], None] = no_preparation
    ready: Callable[[Object], bool] = always_ready
    matches: Callable[[Object, State], bool] = lambda found, wanted: found["name"] == wanted["name"]
    address: Callable[[Object], str] = lambda found: str(found["id"])
    title: Callable[[State], str] = lambda wanted: str(wanted.get("name"))
    detach: Callable[[Object], Any] = attached_to_nothing
    tagged_as: str = ""


@dataclass(frozen=True)
class Patience:
    """Whether, and how long in seconds, to wait for an object to become ready or to go."""

    wait: bool = True
    timeout: float = 1800.0


class Resource:
    """One object of a kind, brought into its desired state."""

    def __init__(
        self,
        client: Client,
        kind: Kind,
        wanted: Mapping[str, Any],
        *,
        present: bool,
        parent: Callable[[], str | None] = lambda: "",
        patience: Patience = Patience(),
        clock: Clock | None = None,
    ) -> None:
        """
        wanted: fields as they should be; a field that is None is left as it is.
        parent: the id of what the object lies in; None when that does not exist (yet).
        """
        self._client = client
        self._kind = kind
        self._wanted = {key: value for key, value in wanted.items() if value is not None}
        self._present = present
        self._parent = parent
        self._patience = patience
        self._clock = clock or Clock()
        self._seen: Object | None = None

    def read(self) -> State | None:
        self._seen = self._find()
        if self._seen is None:
            return None
        return {**self._state(self._seen), "ready": self._kind.ready(self._seen)}

    def desired(self, current: State | None) -> State | None:
        if not self._present:
            return None
        wanted = {**self._wanted, **({"ready": True} if self._patience.wait else {})}
        if current is not None:
            changeable = {field for update in self._kind.updates for field in update.fields} | {"ready"} | ({"tags"} if self._kind.tagged_as else set())
            for field, should in wanted.items():
                if field not in changeable and current.get(field) != should:
                    raise OpsError(
                        f"{self._kind.noun} {self._name} has {field} {current.get(field)}, not {should}, and that cannot be changed once it exists."
                        f" Set {field} to {current.get(field)}, or remove the {self._kind.noun} and create it anew.",
                        field=field,
                    )
        return wanted

    def apply(self, planned: Plan) -> None:
        if planned.after is None:
            self._remove()
            return
        self._kind.prepare(self._client, planned.after)
        before = planned.before
        if before is None:
            self._create(planned.after)
        self._wait_ready()
        for update in self._kind.updates:
            due = update.at_creation and any(field in planned.after for field in update.fields)
            if due if before is None else any(before.get(field) != planned.after.get(field) for field in update.fields):
                self._update(update, planned.after)
        if before is not None and self._kind.tagged_as:
            self._retag(set(before["tags"]), set(planned.after["tags"]))

    def result(self, state: State | None) -> Mapping[str, Any]:
        if state is None:
            return {self._kind.key: None}
        return {self._kind.key: {field: state.get(field) for field in self._kind.shown}}

    @property
    def _name(self) -> str:
        return self._kind.title(self._wanted)

    def _state(self, found: Object) -> dict[str, Any]:
        return {**self._kind.state(found), **self._kind.more(self._client, found)}

    def _collection(self) -> str | None:
        parent = self._parent()
        return None if parent is None else self._kind.collection.format(parent=parent)

    def _path(self) -> str:
        if self._seen is None:
            raise OpsError(f"{self._name} was not looked for, so its address is not known.")
        return f"{self._collection()}/{self._kind.address(self._seen)}"

    def _find(self) -> Object | None:
        collection = self._collection()
        if collection is None:
            return None
        matching = [each for each in self._client.list(collection, self._kind.plural) if self._kind.matches(each, self._wanted)]
        if len(matching) > 1:
            ids = [self._kind.address(each) for each in matching]
            raise OpsError(
                f"There are {len(matching)} objects that could be {self._kind.noun} {self._name} ({', '.join(ids)}), so which is meant cannot be told."
                " Rename or remove all but one.",
                ids=ids,
            )
        return matching[0] if matching else None

    def _create(self, after: State) -> None:
        collection = self._collection()
        if collection is None:
            raise OpsError(f"{self._kind.noun} {self._name} cannot be created: what it belongs to does not exist. Create that first.")
        create_once([self._name], lambda _names: self._client.post(collection, self._kind.create(after)), self._missing, self._clock)
        self._seen = self._find()

    def _update(self, update: Update, after: State) -> None:
        if update.detached:
            self._detach()
        body = update.body(after)
        if body is None:
            return
        should = {field: after[field] for field in update.fields if field in self._wanted}

        def in_effect(found: Object | None) -> bool:
            return found is not None and should.items() <= self._state(found).items()

        self._insist(lambda: self._client.send(update.method, self._target(update), body), in_effect)
        if update.settles:
            self._look(f"{', '.join(should)} of {self._kind.noun} {self._name} to change", in_effect)
        self._look_ready()

    def _target(self, update: Update) -> str:
        return f"{self._path()}{update.below}"

    def _detach(self) -> None:
        body = self._kind.detach(self._seen) if self._seen else None
        if body is None:
            return

        def is_free(found: Object | None) -> bool:
            return found is None or self._kind.detach(found) is None

        self._insist(lambda: self._client.post(f"{self._path()}/actions", body), is_free)
        self._look(f"{self._kind.noun} {self._name} to be detached", is_free)

    def _retag(self, are: set[str], should: set[str]) -> None:
        lookup.ensure_tags(self._client, should - are)
        for tag in sorted(are ^ should):
            self._retag_one(tag, on=tag in should)

    def _retag_one(self, tag: str, *, on: bool) -> None:
        body = {"resources": [{"resource_id": self._path().rpartition("/")[2], "resource_type": self._kind.tagged_as}]}
        where = path("tags", tag, "resources")
        self._insist(
            lambda: self._client.post(where, body) if on else self._client.delete(where, body),
            lambda found: found is not None and (tag in self._kind.state(found)["tags"]) == on,
        )

    def _insist(self, send: Callable[[], object], in_effect: Callable[[Object | None], bool]) -> None:
        """Send a change; when no answer comes, send it again only if it did not take effect."""
        create_once([self._name], lambda _names: send(), lambda names: [] if in_effect(self._find()) else list(names), self._clock, doing="Changing")

    def _missing(self, names: Sequence[str]) -> list[str]:
        return [] if self._find() else list(names)

    def _remove(self) -> None:
        try:
            self._detach()
            self._client.delete(self._path())
        except NotFoundError:
            return  # somebody was faster
        self._look(f"{self._kind.noun} {self._name} to be gone", lambda found: found is None)

    def _wait_ready(self) -> None:
        if not (self._seen and self._kind.ready(self._seen)):
            self._look_ready()

    def _look_ready(self) -> None:
        if self._patience.wait:
            self._look(f"{self._kind.noun} {self._name} to be ready", lambda found: found is not None and self._kind.ready(found))

    def _look(self, what: str, done: Callable[[Object | None], bool]) -> None:
        def look() -> Object | None:
            self._seen = self._find()
            return self._seen

        wait_for(
            what,
            look,
            done,
            timeout=self._patience.timeout,
            interval=LOOK_EVERY,
            clock=self._clock,
            describe=lambda found: str((found or {}).get("status", "there")) if found else "not there",
        )
