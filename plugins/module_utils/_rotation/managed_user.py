# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two users of a managed database take turns. Its provider makes and deletes them; what they may do, and whether they may log in, the server is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import AmbiguousError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, NotFoundError, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.lookup import cluster_id
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.dual_user import DualUser, Logins
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret, Value, Version


class ClusterUsers:
    """The users of a database cluster, as the API has them."""

    def __init__(self, api: Client, cluster: str) -> None:
        self._api = api
        self.cluster = cluster
        self._where: str | None = None

    def names(self) -> list[str]:
        return [str(user["name"]) for user in self._api.list(self._path(), "users")]

    def create(self, name: str) -> str:
        """Its password."""
        try:
            user = self._api.post(self._path(), {"name": name})["user"]
        except AmbiguousError:
            # Unlike a key's, its secret can be asked for.
            if name not in self.names():
                raise
            user = self._api.get(self._path(name))["user"]
        if not user.get("password"):
            raise OpsError(f"The API tells no password for user {name} of {self.cluster}: the token needs the scope database:view_credentials.")
        return str(user["password"])

    def delete(self, name: str) -> None:
        try:
            self._api.delete(self._path(name))
        except NotFoundError:
            return

    def _path(self, *name: str) -> str:
        if self._where is None:
            self._where = cluster_id(self._api, self.cluster)
        if self._where is None:
            raise OpsError(f"There is no database cluster named {self.cluster}. Create it with do_database_cluster, or name one that exists.")
        return path("databases", self._where, "users", *name)


class ManagedUser(DualUser):
    """A Provider. Only the current user exists between two rotations: ``reset_auth`` would lock its consumers out, a second user does not."""

    def __init__(self, users: ClusterUsers, pair: tuple[str, ...], logins: Logins, owner: str | None = None) -> None:
        super().__init__(logins, owner)
        self._users = users
        self._pair = pair

    def listed(self) -> list[str]:
        return [name for name in self._users.names() if name in self._pair]

    def discard(self, ids: list[str]) -> None:
        for name in ids:
            self._users.delete(name)

    def check(self, old: Version) -> None:
        super().check(old)
        others = [name for name in self.listed() if name != old.part("username")]
        if others:
            raise OpsError(f"The database cluster {self._users.cluster} has a user {others[0]} that no rotation made: see who uses it, and remove it.")

    def make(self, secret: Secret, version_id: str) -> Value:
        name = policy.other_user(secret)
        return {"username": name, "password": self._users.create(name)}

    def withdraw(self, new: Version) -> None:
        self._users.delete(new.part("username"))

    def destroy(self, old: Version) -> None:
        name = old.part("username")
        self._users.delete(name)
        seen: Mapping[str, Any] = self._logins.look(name, old.part("password"))
        if seen["accepted"]:
            raise OpsError(f"{self._logins.server} still lets {name} in, whom the API has deleted. Run again; if that does not help, drop the role.")
