# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access keys of Spaces, whose secret is told once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import AmbiguousError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.creation import ATTEMPTS, settled
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import Kind, Resource

SPACES_KEY = Kind(
    noun="Spaces key",
    key="spaces_key",
    plural="keys",
    collection="/v2/spaces/keys",
    state=lambda found: {"name": found["name"], "access_key": found["access_key"], "grants": normal_grants(found.get("grants"))},
    shown=("name", "access_key", "grants"),
    create=lambda state: {"name": state["name"], "grants": state.get("grants") or []},
    address=lambda found: str(found["access_key"]),
)


def normal_grants(grants: Any) -> list[dict[str, str]]:
    kept = ({"bucket": grant.get("bucket") or "", "permission": grant["permission"]} for grant in grants or [])
    return sorted(kept, key=lambda grant: (grant["bucket"], grant["permission"]))


class SpacesKey(Resource):
    """A key and the file that its secret is kept in.

    file: where the secret is kept; None keeps it nowhere.
    tell: whether the result of its creation holds the secret.
    """

    def __init__(self, *arguments: Any, file: Path | None, tell: bool, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._file, self._tell = file, tell
        self._secret: str | None = None

    def read(self) -> State | None:
        state = super().read()
        if state is None and self._present:
            self._spare()
        return state if state is None or self._file is None else {**state, "secret": self._kept(state["access_key"])}

    def desired(self, current: State | None) -> State | None:
        wanted = super().desired(current)
        if wanted is not None and current is None and self._file is None and not self._tell:
            raise OpsError(
                f"Spaces key {self._name} has to be created, and its secret, which the API tells only once, would be lost."
                " Name a secret_file to keep it in, or set return_secret in a task with no_log.",
                field="secret_file",
            )
        if wanted is None or self._file is None:
            return wanted
        if current is not None and current["secret"] == "nowhere":
            raise OpsError(
                f"Spaces key {self._name} exists, and {self._file} does not hold its secret, which the API tells only once."
                " Put the file back, or remove the key (state=absent) and run again: everybody who uses it then needs the new one.",
                field="secret_file",
            )
        return {**wanted, "secret": str(self._file)}

    def apply(self, planned: Plan) -> None:
        if planned.before is not None and planned.after is not None:
            # Only a creation that was cut off is left to do: nobody has ever had the secret.
            self._remove()
            planned = Plan("create", None, planned.after)
        super().apply(planned)
        if planned.before is not None and planned.after is None and self._file is not None and planned.before["secret"] != "nowhere":
            self._file.unlink(missing_ok=True)

    def result(self, state: State | None) -> Mapping[str, Any]:
        told = {"secret_key": self._secret} if self._tell else {}
        return {**super().result(state), **told}

    def _create(self, after: State) -> None:
        # A key of this name whose secret is in no file was then made by a run that was cut off.
        self._write({"creating": self._name})
        for _attempt in range(ATTEMPTS):
            try:
                key = self._client.post(str(self._collection()), self._kind.create(after))["key"]
            except AmbiguousError:
                # It may be there, but its secret went with the answer.
                if not settled([self._name], self._missing, self._clock):
                    self._seen = self._find()
                    self._remove()
                continue
            self._keep_secret(key)
            self._seen = self._find()
            return
        raise OpsError(f"Creating the Spaces key {self._name} got no answer {ATTEMPTS} times. Check the API's status and run again.")

    def _keep_secret(self, key: Mapping[str, Any]) -> None:
        self._secret = key["secret_key"]
        self._write({"access_key": key["access_key"], "secret_key": key["secret_key"]})

    def _write(self, content: Mapping[str, Any]) -> None:
        if self._file:
            write_atomic(self._file, json.dumps(content) + "\n", mode=0o400)

    def _spare(self) -> None:
        """Refuse to put a new key where the secret of another one is."""
        content = self._content()
        keys = self._client.list(SPACES_KEY.collection, SPACES_KEY.plural) if "access_key" in content else []
        owner = content.get("creating") or next((key["name"] for key in keys if key["access_key"] == content["access_key"]), self._name)
        if owner != self._name:
            raise OpsError(f"{self._file} is for the secret of Spaces key {owner}, not of {self._name}. Name another file.", field="secret_file")

    def _kept(self, access_key: str) -> str:
        """Where the secret of a key is: the path of the file, "nowhere", or "lost" with a creation that was cut off."""
        content = self._content()
        if content.get("creating") == self._name:
            return "lost"
        return str(self._file) if content.get("access_key") == access_key else "nowhere"

    def _content(self) -> Mapping[str, Any]:
        if self._file is None or not self._file.exists():
            return {}
        try:
            return dict(json.loads(self._file.read_text()))
        except (TypeError, ValueError) as error:
            raise OpsError(f"{self._file} is no file of a Spaces key. Name another secret_file, or move this one away.", field="secret_file") from error


def spaces_key(params: Mapping[str, Any]) -> Resource:
    file = Path(params["secret_file"]) if params["secret_file"] else None
    if file and not file.parent.is_dir():
        raise OpsError(f"The folder of secret_file, {file.parent}, does not exist. Create it, readable for its owner only.", field="secret_file")
    wanted = {"name": params["name"], "grants": None if params["grants"] is None else normal_grants(params["grants"])}
    return SpacesKey(connect(params), SPACES_KEY, wanted, present=params["state"] == "present", file=file, tell=params["return_secret"])
