# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control node's part of M(groundcrew.ops.secret_rotation): the machine, beside its store and its journal."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql import argspec as postgresql
from ansible_collections.groundcrew.ops.plugins.module_utils._redis import connection as redis
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import issuers, options
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.dual_user import DualUser
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Patience
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.phase import Request, RotationPhase
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Provider, Store
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.single import Assisted, Cutover, Probe
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.verify_set import VerifySet
from ansible_collections.groundcrew.ops.plugins.plugin_utils.vault import VaultLibrary

SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "phase": {"type": "str", "choices": ["begin", "publish", "finish", "close", "back", "status"], "required": True},
    "provider": {"type": "str", "choices": ["postgresql", "redis", "digitalocean", "iam", "spaces", "consumers", "issuer", "none"], "default": "postgresql"},
    "owner": {"type": "str"},
    "rules": {"type": "str"},
    "supplied": {"type": "str", "no_log": True},
    "probe": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True},
            "header": {"type": "str", "default": "Authorization"},
            "prefix": {"type": "str", "default": "Bearer "},
        },
    },
    "allow_auth_gap": {"type": "bool", "default": False},
    "consumers": {"type": "list", "elements": "str", "default": []},
    "acknowledged": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"consumer": {"type": "str", "required": True}, "fingerprint": {"type": "str", "required": True}},
    },
    "force": {"type": "bool", "default": False},
    "grace": {"type": "float", "default": 60},
    "quiet": {"type": "float", "default": 15},
    "timeout": {"type": "float", "default": 900},
    "observe": {"type": "float", "default": 30},
    "cache": {"type": "float", "default": 0},
    "compromised": {"type": "bool", "default": False},
}


RunModule = Callable[[str, dict[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class Server:
    """A kind of server, by the collection's modules for its logins.

    named: the options of this module that are theirs, beside those of the connection.
    """

    connection: Mapping[str, Mapping[str, Any]]
    login: str
    login_info: str
    named: tuple[str, ...]


POSTGRESQL = Server(postgresql.CONNECTION, "groundcrew.ops.postgresql_login", "groundcrew.ops.postgresql_login_info", ("owner",))
SERVERS = {
    "postgresql": POSTGRESQL,
    "digitalocean": POSTGRESQL,
    "redis": Server(redis.SPEC, "groundcrew.ops.redis_login", "groundcrew.ops.redis_login_info", ("rules",)),
}


class ModuleLogins:
    """Logins by the collection's modules, run on the host of the play.

    run_module: (module, its options) -> its result.
    """

    def __init__(self, run_module: RunModule, kind: Server, params: Mapping[str, Any]) -> None:
        self._run = run_module
        self._kind = kind
        self._connection = {name: params[name] for name in kind.connection}
        self._named = {name: params[name] for name in kind.named}
        self.server = f"The server {params['login_host']}"

    def ensure(self, name: str, password: str, state: str) -> None:
        self._result(self._kind.login, name=name, password=password, state=state, **self._named)

    def look(self, name: str, password: str | None = None, compare_with: str | None = None) -> Mapping[str, Any]:
        return self._result(self._kind.login_info, name=name, password=password, compare_with=compare_with)

    def _result(self, module: str, **arguments: Any) -> Mapping[str, Any]:
        given = {key: value for key, value in {**self._connection, **arguments}.items() if value is not None}
        result = self._run(module, given)
        if result.get("failed") or result.get("unreachable"):
            raise OpsError(str(result.get("msg", f"{module} failed without a message")))
        return result["login"]


class ActionModule(ActionBase):
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        server = SERVERS.get(str(self._task.args.get("provider", "postgresql")))
        required = [("provider", "postgresql", ["owner"]), ("provider", "issuer", ["probe"]), *issuers.REQUIRED]
        spec = argspec.merge(options.SPEC, options.SCHEDULE, issuers.SPEC, server.connection if server else {}, SPEC)
        _validated, params = self.validate_argument_spec(spec, required_if=required)
        return {**result, **run.perform_action(self._task, lambda: self._phase(params, task_vars))}

    def _phase(self, params: Mapping[str, Any], task_vars: dict[str, Any] | None) -> RotationPhase:
        # Else Ansible keeps a module with its options, passwords among them, in a file of the host as long as it runs.
        if self._connection.has_option("pipelining"):
            self._connection.set_option("pipelining", True)

        def run_module(module: str, arguments: dict[str, Any]) -> Mapping[str, Any]:
            return self._execute_module(module_name=module, module_args=arguments, task_vars=task_vars)

        request = Request(
            name=params["name"],
            phase=params["phase"],
            consumers=params["consumers"],
            acknowledged=[(entry["consumer"], entry["fingerprint"]) for entry in params["acknowledged"]],
            force=params["force"] or (params["compromised"] and params["phase"] == "begin"),
            schedule=options.schedule_of(params),
            by=f"{getpass.getuser()}@{socket.gethostname()}",
        )
        patience = Patience(
            grace=params["grace"],
            quiet=params["quiet"],
            timeout=params["timeout"],
            observe=params["observe"],
            cache=params["cache"],
            compromised=params["compromised"],
        )
        opener = options.Opener(params, VaultLibrary)
        store = opener.store()
        return RotationPhase(request, store, opener.records(), _provider(params, store, run_module), patience)


def _provider(params: Mapping[str, Any], store: Store, run_module: RunModule) -> Provider:
    kind = params["provider"]
    if kind == "consumers":
        return VerifySet(params["name"], store)
    if kind == "issuer":
        return Assisted(Probe(**params["probe"]), params["supplied"])
    if kind == "none":
        return Cutover(params["allow_auth_gap"])
    if kind in ("iam", "spaces"):
        return issuers.access_keys(params)
    logins = ModuleLogins(run_module, SERVERS[kind], params)
    return issuers.managed_user(params, store, logins) if kind == "digitalocean" else DualUser(logins, params["owner"])
