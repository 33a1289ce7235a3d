# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quickstart's application on one of the quickstart's hosts, with all four of its secrets in the store, and a play for whatever is to happen to them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import quickstart
import yaml

from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import FileStore
from ansible_collections.groundcrew.ops.plugins.plugin_utils.vault import VaultLibrary
from localcloud import servers
from localcloud.shell import wait_until
from tests.integration.release_host import SSH_OPTIONS

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "inventories" / "local"
LIFETIME = 5  # of tokens, in seconds
SKEW = 1
CACHE = 3  # for how long carriers keep the published keys
CLOUD = {"droplet_count": 1, "droplet_ssh_key_name": "tests"}
SECRETS = ("shop/database", "shop/cache", "shop/receipts", "shop/passes")
PHASE = """
- name: Run a phase
  hosts: app[0]
  become: true
  tasks:
    - name: Run a phase
      ansible.builtin.import_role: {name: groundcrew.ops.secret, tasks_from: rotate}
      vars:
        secret_consumers: "{{ groups['app'] }}"
"""


def redis_secret() -> dict[str, str]:
    """The address of the cache, with a user out of the store instead of the cluster's own."""
    value = (
        "rediss://{{ lookup('groundcrew.ops.secret', 'shop/cache', field='username') }}:{{ lookup('groundcrew.ops.secret', 'shop/cache', field='password') }}"
        "@{{ lookup('groundcrew.ops.do_database', 'shop-cache', field='host') }}:{{ lookup('groundcrew.ops.do_database', 'shop-cache', field='port') }}"
    )
    return {"name": "redis_url", "value": value, "version": "{{ lookup('groundcrew.ops.secret', 'shop/cache', field='fingerprint') }}"}


def variables(administrator: str) -> dict[str, Any]:
    """What differs from the quickstart: users of the cache take turns as well, and there is less of everything that has to be waited for.

    administrator: the password of the cache's. A managed cache lets nobody make users by ACL, so this is the stand-in's own, as on a server of one's own.
    """
    given = yaml.safe_load((INVENTORY / "group_vars/all/secrets.yml").read_text())
    application = yaml.safe_load((INVENTORY / "group_vars/app/application.yml").read_text())
    waits = {"token_lifetime": LIFETIME, "clock_skew": SKEW}
    items = [{**each, **(waits if each.get("kind") == "signing_key" else {})} for each in given["secret_items"]]
    items = [{**each, **({"cache_lifetime": CACHE} if each["name"] == "shop/passes" else {})} for each in items]
    cache = {"name": "shop/cache", "kind": "redis_user", "users": ["shop_a", "shop_b"], "rules": "~bull:* &* +@all -@dangerous +info"}
    return {
        **CLOUD,
        "secret_items": [*items, cache],
        "secret_rotate_which": "due",
        "secret_force": True,
        "secret_grace": 1,
        "secret_quiet": 1,
        "secret_observe": 1,
        "secret_redis_host": "{{ lookup('groundcrew.ops.do_database', 'shop-cache', field='host') }}",
        "secret_redis_port": "{{ lookup('groundcrew.ops.do_database', 'shop-cache', field='port') }}",
        "secret_redis_user": "cloud",
        "secret_redis_password": administrator,
        "secret_redis_ssl_mode": "require",
        "compose_app_bake_seconds": 0,  # the gate, which would judge how slow this machine is, has its own tests
        "compose_app_services": [{**each, **({"replicas": 1} if "replicas" in each else {})} for each in application["compose_app_services"]],
        "compose_app_environment": {**application["compose_app_environment"], "TOKEN_LIFETIME": str(LIFETIME), "JWKS_MAX_AGE": str(CACHE)},
        "compose_app_secrets": [redis_secret() if each["name"] == "redis_url" else each for each in application["compose_app_secrets"]],
    }


@dataclass(frozen=True)
class Played:
    rc: int
    output: str


@dataclass
class Logins:
    """What the script on a host told last."""

    accepted: dict[str, int] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)


class Shop:
    def __init__(self, cloud: Any) -> None:
        self._cloud = cloud
        self._quickstart = quickstart.Quickstart(cloud.cloud.name, cloud.cloud.index)
        self.state = self._quickstart.state
        self._env = {**os.environ, **quickstart.cloud_environment(self._quickstart), "GROUNDCREW_REPORT_DIR": str(self.state / "report")}
        self.given: dict[str, Any] = dict(CLOUD)

    def open(self) -> None:
        """Everything that site.yml does until the application serves."""
        self._cloud.ssh_key()
        quickstart.prepare_state(self._quickstart)
        quickstart.build_application(self._env)
        self.must("provision.yml")
        kept = ["docker", "exec", servers.container(self._cloud.cloud, self.cluster("shop-cache")), "cat", "/data/admin-password"]
        administrator = subprocess.run(kept, capture_output=True, text=True, check=True)
        self.given = variables(administrator.stdout.strip())
        self.must("deploy.yml")

    def cluster(self, name: str) -> dict[str, Any]:
        listed = self._cloud.request("GET", "/v2/databases")[1]["databases"]
        return dict(next(each for each in listed if each["name"] == name))

    @property
    def hosts(self) -> dict[str, str]:
        """Their addresses by their names."""
        droplets = self._cloud.request("GET", "/v2/droplets?tag_name=app&per_page=200")[1]["droplets"]
        found = {each["name"]: next(one["ip_address"] for one in each["networks"]["v4"] if one["type"] == "public") for each in droplets}
        return dict(sorted(found.items()))

    def play(self, playbook: str, *arguments: str, **more: Any) -> Played:
        """playbook: one of the collection's, or the path of another one."""
        chosen = self.state / "variables.json"
        chosen.touch(mode=0o600)
        chosen.write_text(json.dumps({**self.given, **more}))
        path = playbook if "/" in playbook else f"playbooks/{playbook}"
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(INVENTORY), "-e", f"@{chosen}", *arguments, path]
        done = subprocess.run(argv, cwd=ROOT, env=self._env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, check=False)
        return Played(done.returncode, done.stdout)

    def must(self, playbook: str, *arguments: str, **more: Any) -> Played:
        done = self.play(playbook, *arguments, **more)
        assert done.rc == 0, done.output[-6000:]
        return done

    def phase(self, name: str, phase: str) -> Played:
        """One phase of one secret's rotation, without any consumer that switches."""
        playbook = self.state / "phase.yml"
        playbook.write_text(PHASE)
        return self.play(str(playbook), secret_phase=phase, secret_rotate_which=name)

    def secret(self, name: str) -> Secret:
        found = FileStore(self.state / "secrets", VaultLibrary(str(self.state / "vault-password"))).get(name)
        assert found is not None
        return found

    def current(self) -> dict[str, str]:
        """The version of each secret that is rotated."""
        return {name: self.secret(name).current.id for name in SECRETS}

    def sql(self, statement: str) -> str:
        return servers.psql(self._cloud.cloud, self.cluster("shop-db"), statement)

    def redis(self, *command: str) -> str:
        return servers.redis(self._cloud.cloud, self.cluster("shop-cache"), *command)

    @contextmanager
    def logins(self) -> Iterator[Logins]:
        """An application's logins on the first host while the body runs; complete afterwards."""
        shell = ["ssh", "-i", str(self._cloud.cloud.ssh_key), *SSH_OPTIONS.split(), f"root@{next(iter(self.hosts.values()))}"]
        subprocess.run([*shell, "cat > /root/shop_logins.py"], input=(ROOT / "tests/load/shop_logins.py").read_text(), text=True, check=True)
        told = Logins()
        process = subprocess.Popen([*shell, "python3 /root/shop_logins.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin and process.stdout

        def listen(lines: Any) -> None:
            for line in lines:
                heard = json.loads(line)
                told.accepted, told.refused = heard["accepted"], heard["refused"]

        listening = threading.Thread(target=listen, args=[process.stdout], daemon=True)
        listening.start()
        try:
            wait_until("the logins to begin", lambda: bool(told.accepted) and all(told.accepted.values()), seconds=60, pause=0.2)
            yield told
        finally:
            process.stdin.close()
            process.wait(60)
            listening.join(10)

    def close(self) -> None:
        for each in self._cloud.request("GET", "/v2/databases")[1]["databases"]:
            if each["name"] in ("shop-db", "shop-cache"):
                self._cloud.request("DELETE", f"/v2/databases/{each['id']}")
        self._cloud.request("DELETE", "/v2/droplets?tag_name=app")
        shutil.rmtree(self._quickstart.sockets, ignore_errors=True)
        shutil.rmtree(self.state, ignore_errors=True)
