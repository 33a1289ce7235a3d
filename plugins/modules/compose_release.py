#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_release
short_description: Release a Compose application on a host without losing a request
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Runs the user's own Compose files, unchanged, in one of two slots, and moves traffic between the slots through HAProxy's runtime socket.
  - "The order is always the same: start the idle slot, probe it until it proves that it serves the new release, tell the proxy, wait until
    nothing is in flight on the old slot, stop the old slot."
  - A failure before the switch takes the new release back and the old one keeps serving; the task fails and says so.
  - With a gate (O(gate)) the old release runs on out of rotation until the new one has proven itself under traffic; one that fails the gate
    is taken back within milliseconds.
  - A run that was killed is finished or taken back by the next one, whatever it is asked for. A lease with a rising token keeps two runs apart,
    also one that was only paused.
  - The release id is the version and ten digits of a digest over images, Compose files, environment, versions of secrets and services, so
    changing only a variable or a secret is a release, and releasing the same again changes nothing.
extends_documentation_fragment:
  - groundcrew.ops.compose_release
  - groundcrew.ops.compose_release.traffic
  - groundcrew.ops.compose_release.release
attributes:
  check_mode:
    description: Predicts the same change as the run; needs neither engine nor proxy on the host, only the registry.
    support: full
  diff_mode:
    description: Shows images by digest, environment and versions of secrets before and after, and the steps. Values that look secret are fingerprints.
    support: full
  idempotent:
    description: The same release again changes nothing, unless something is broken that it repairs.
    support: full
requirements:
  - Docker Engine and Compose v2 (Debian packages docker.io and docker-compose)
  - HAProxy with a backend for the application, as the role P(groundcrew.ops.proxy#role) makes it
options:
  phase:
    description:
      - V(all) releases in one task. A fleet whose hosts decide together uses the phases, each in the same O(run).
      - V(prepare) stores everything, pulls images and checks, starts nothing, and keeps the lease.
      - V(migrate) runs the migration, on one host of the fleet.
      - V(switch) starts and verifies the new slot, moves traffic, drains the old slot and watches the gate.
      - V(bake) watches the gate again. V(hold) keeps the lease and does nothing.
      - V(commit) stops the old slot, V(revert) goes back to it.
    type: str
    choices: [all, prepare, migrate, switch, bake, hold, commit, revert]
    default: all
  migrated:
    description: Releases whose migration another host of the fleet has run. They are recorded, and not run again here.
    type: list
    elements: str
    default: []
  schema:
    description:
      - What the release's migration makes of the database, where releases declare that.
      - A rollback to a release that does not know the schema any more is refused, and so is a release with which the one that serves could not
        work until the switch.
    type: dict
    suboptions:
      version:
        description: Version of the schema after the migration; it rises with each change.
        type: int
        required: true
      oldest:
        description: Releases of this version of the schema and later still work with it.
        type: int
        required: true
  state:
    description:
      - With V(released), what the options describe serves when the task ends.
      - With V(absent), the application is drained, stopped and removed with its stored releases.
    type: str
    choices: [released, absent]
    default: released
  version:
    description: Version of the application, the first part of the release id. Required to release.
    type: str
  files:
    description: The Compose files, in the order in which Compose merges them. Required to release.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the file, used in messages and on the host.
        type: str
        required: true
      content:
        description: The file's text.
        type: str
        required: true
      model:
        description: The same file as a dictionary (filter P(ansible.builtin.from_yaml#filter)), so that the host needs no YAML parser.
        type: dict
        required: true
      part:
        description: Compose is not given this file; another one extends or includes it.
        type: bool
        default: false
  support_files:
    description:
      - Files that the Compose files name by a relative path, such as an C(env_file) or a mounted configuration, as the lookup
        P(groundcrew.ops.compose_file#lookup) with O(groundcrew.ops.compose_file#lookup:support) returns them.
      - They are part of the release, at the same path beside the Compose files.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Path below the folder of the first Compose file.
        type: str
        required: true
      content:
        description: Content in base64. Never shown.
        type: str
        required: true
      mode:
        description: Permission bits in octal.
        type: str
        default: "0644"
  services:
    description:
      - The services of the Compose files that make up the application. At most one is a web service. Required to release.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the service in the Compose files.
        type: str
        required: true
      kind:
        description:
          - V(web) is switched by the proxy, V(worker) is started once the web service has proven itself and stopped with its grace.
          - V(data) (a database, a cache) is started once, in the project C(<name>-data), where the other services reach it by its name;
            no release touches it again.
        type: str
        choices: [web, worker, data]
        required: true
      image:
        description:
          - Image with its tag; it runs by the digest that the tag stands for at the registry. Defaults to the Compose file's.
          - A data service always runs the image of its Compose file.
        type: str
      port:
        description: Port that a web service listens on inside its container.
        type: int
      replicas:
        description: How many containers run. Defaults to C(deploy.replicas) or C(scale) of the Compose file, then to 1.
        type: int
      stop_grace:
        description: Seconds between the signal to end and the kill. Defaults to C(stop_grace_period) of the Compose file, then to 30.
        type: int
      job_timeout:
        description: Seconds that the longest job of a worker may take; O(services[].stop_grace) must not be shorter.
        type: int
        default: 0
      single:
        description:
          - A worker that may run only once on a host, such as a scheduler. The old one ends before the new one starts, so for a moment none runs; on
            the way back likewise.
        type: bool
        default: false
  environment:
    description: Variables of the C(.env) file beside the Compose files. Values that look secret are shown as fingerprints.
    type: dict
    default: {}
  secret_environment:
    description: More variables of the C(.env) file, never shown.
    type: dict
    default: {}
  required_environment:
    description: Names that must have a value, either themselves or with the suffix C(_FILE).
    type: list
    elements: str
    default: []
  environment_rules:
    description:
      - Rules for the environment beside the built-in ones (C(jwt-secret), C(cors-origin), C(database-tls), C(redis-tls), C(tls-off),
        C(tls-unchecked), C(swagger-off), C(rate-limit-on), C(rate-limit-off), C(default-password), C(default-password-in-url)), and
        changes to these.
      - A value is looked at wherever it comes from, also in the secret that C(<NAME>_FILE) names.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description: Name of a built-in rule to change it, or of a new one.
        type: str
        required: true
      names:
        description: Pattern (Python) of the whole names of variables that the rule looks at. Required for a new rule.
        type: str
      remedy:
        description: What a violation says after the variable's name. Required for a new rule.
        type: str
      required:
        description: A variable with such a name must have a value.
        type: bool
      min_length:
        description: Fewest characters.
        type: int
      matches:
        description: Pattern that a value must hold; case is ignored.
        type: str
      forbids:
        description: Pattern that a value must not hold; case is ignored.
        type: str
      disabled:
        description: Why the rule is not applied to this application.
        type: str
  migration:
    description: A command run once for each release, in its image and with its secrets, before it starts.
    type: dict
    suboptions:
      service:
        description: Service in whose image and configuration it runs.
        type: str
        required: true
      command:
        description: Command with its arguments.
        type: list
        elements: str
        required: true
      timeout:
        description: Seconds it may take.
        type: int
        default: 600
  registry:
    description: How the image registry is asked for digests.
    type: dict
    suboptions:
      plain_http:
        description: Registries (host:port) that speak http.
        type: list
        elements: str
        default: []
      username:
        description: User for a registry that asks for one. The engine needs its own login to pull.
        type: str
      password:
        description: Password or token of that user.
        type: str
"""

EXAMPLES = r"""
- name: Release version 1.1.0 of the shop
  groundcrew.ops.compose_release:
    name: shop
    version: 1.1.0
    files:
      - name: compose.yml
        content: "{{ lookup('ansible.builtin.file', 'compose.yml') }}"
        model: "{{ lookup('ansible.builtin.file', 'compose.yml') | from_yaml }}"
    services:
      - name: api
        kind: web
        image: registry.example.com/shop:1.1.0
        port: 3000
        replicas: 2
      - name: worker
        kind: worker
        image: registry.example.com/shop:1.1.0
        stop_grace: 60
        job_timeout: 45
    slots:
      a: 20000
      b: 20100
    environment:
      LOG_LEVEL: info
      DATABASE_URL_FILE: /run/secrets/database_url
    secrets:
      - name: database_url
        version: "7"
        value: "{{ shop_database_url }}"

- name: Take the shop off the host
  groundcrew.ops.compose_release:
    name: shop
    state: absent
    slots:
      a: 20000
      b: 20100
"""

RETURN = r"""
release:
  description: Id of the release that was asked for; null when removed.
  returned: success
  type: str
  sample: 1.1.0-4be2a90c1d
previous:
  description: Id of the release that was active before.
  returned: success
  type: str
verdict:
  description: >-
    V(released), V(unchanged), V(repaired) (the proxy), V(planned) (check mode) or V(removed); after a phase V(prepared), V(baking)
    or V(reverted). A task that failed says V(rolled_back) when what was begun was taken back and the old release serves as before, V(refused)
    when the schema forbids the release, V(failed) otherwise; its message tells what is left and what to do.
  returned: always
  type: str
slot:
  description: The slot that serves.
  returned: when released
  type: str
images:
  description: Image by digest of each service.
  returned: when released
  type: dict
secrets:
  description: Version of each secret that the release uses, by name. When RV(serving.release) is RV(release), the application runs with these.
  returned: when released
  type: dict
serving:
  description: What answered through the proxy, asked after everything was done.
  returned: when released
  type: dict
  contains:
    release:
      description: The release id that the application itself named.
      type: str
    status:
      description: HTTP status, 0 when nothing answered.
      type: int
seconds:
  description: Seconds spent in each state of the release.
  returned: when released
  type: dict
forced:
  description: Requests that were still in flight when the drain's time was up.
  returned: when released
  type: int
migrated:
  description: Releases whose migration has run, as far as this host knows.
  returned: when released
  type: list
  elements: str
violations:
  description: Everything that forbids the release, each with its place and its remedy.
  returned: when the release was refused
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._core.run import Operation, perform
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Http
from ansible_collections.groundcrew.ops.plugins.module_utils._release.argspec import RELEASE
from ansible_collections.groundcrew.ops.plugins.module_utils._release.operations import Deploy, Remove
from ansible_collections.groundcrew.ops.plugins.module_utils._release.phase import Phase

SPEC = {
    "phase": {"type": "str", "choices": ["all", "prepare", "migrate", "switch", "bake", "hold", "commit", "revert"], "default": "all"},
    "migrated": {"type": "list", "elements": "str", "default": []},
    "schema": {"type": "dict", "options": {"version": {"type": "int", "required": True}, "oldest": {"type": "int", "required": True}}},
    "state": {"type": "str", "choices": ["released", "absent"], "default": "released"},
    "version": {"type": "str"},
    "files": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "content": {"type": "str", "required": True},
            "model": {"type": "dict", "required": True},
            "part": {"type": "bool", "default": False},
        },
    },
    "support_files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "content": {"type": "str", "required": True, "no_log": True},
            "mode": {"type": "str", "default": "0644"},
        },
    },
    "services": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": ["web", "worker", "data"], "required": True},
            "image": {"type": "str"},
            "port": {"type": "int"},
            "replicas": {"type": "int"},
            "stop_grace": {"type": "int"},
            "job_timeout": {"type": "int", "default": 0},
            "single": {"type": "bool", "default": False},
        },
    },
    "environment": {"type": "dict", "default": {}},
    "secret_environment": {"type": "dict", "default": {}, "no_log": True},
    "required_environment": {"type": "list", "elements": "str", "default": []},
    "environment_rules": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "id": {"type": "str", "required": True},
            "names": {"type": "str"},
            "remedy": {"type": "str"},
            "required": {"type": "bool"},
            "min_length": {"type": "int"},
            "matches": {"type": "str"},
            "forbids": {"type": "str"},
            "disabled": {"type": "str"},
        },
    },
    "migration": {
        "type": "dict",
        "options": {
            "service": {"type": "str", "required": True},
            "command": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "int", "default": 600},
        },
    },
    "registry": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "plain_http": {"type": "list", "elements": "str", "default": []},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
        },
    },
}


def main() -> None:
    perform(AnsibleModule(argument_spec=merge(RELEASE, SPEC), supports_check_mode=True), operation, {"verdict": "failed"})


def operation(params: Mapping[str, Any]) -> Operation:
    if params["state"] == "absent":
        return Remove(params)
    return Deploy(params, connect) if params["phase"] in ("all", "prepare") else Phase(params, connect)


def connect(base_url: str, headers: Mapping[str, str]) -> Http:
    return Http(base_url, headers=headers, timeout=10.0, attempts=3)


if __name__ == "__main__":
    main()
