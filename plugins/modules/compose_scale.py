#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_scale
short_description: Change how many containers of a released Compose application run, without losing a request or a job
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Looks at the jobs that wait in BullMQ's queues, or at what the containers are busy with, decides how many containers of the release that
    serves should run, and has them run.
  - More come at once, fewer only after a cooldown, at most O(rules[].step) with one change. What cannot be read takes no container away.
  - "Containers go in the order of a release: the proxy is told, nothing is in flight any more, then they stop. A worker's signal to end is
    what tells it to take no more jobs; it has its C(stop_grace_period) to finish those it has."
  - While a release is in progress, or another run holds the lease, nothing is scaled.
  - Later releases keep the number.
extends_documentation_fragment:
  - groundcrew.ops.compose_release
  - groundcrew.ops.compose_release.traffic
attributes:
  check_mode:
    description: Looks and decides as the run does.
    support: full
  diff_mode:
    description: Shows the numbers before and after, and why.
    support: full
  idempotent:
    description: Changes nothing when the numbers are right.
    support: full
options:
  rules:
    description: How each service is scaled. Each rule has one of O(rules[].replicas), O(rules[].queue) and O(rules[].signals).
    type: list
    elements: dict
    required: true
    suboptions:
      service:
        description: Name of a service of the release.
        type: str
        required: true
      minimum:
        description: Fewest containers.
        type: int
        default: 1
      maximum:
        description: Most containers. For a web service the proxy needs as many servers in each slot.
        type: int
        default: 1
      step:
        description: Most containers that one change adds or takes.
        type: int
        default: 2
      cooldown:
        description: Seconds after a change before containers are taken.
        type: float
        default: 300.0
      replicas:
        description: Exactly so many, whatever is seen.
        type: int
      queue:
        description: BullMQ queues whose jobs the service works on.
        type: dict
        suboptions:
          names:
            description: Names of the queues.
            type: list
            elements: str
            required: true
          prefix:
            description: BullMQ's prefix of keys.
            type: str
            default: bull
          per_worker:
            description: Jobs that one worker gets through in time. As many workers should run as the jobs that wait need.
            type: int
            default: 50
          up:
            description: More workers when more jobs wait.
            type: float
            default: 100
          down:
            description: Fewer workers when fewer jobs wait.
            type: float
            default: 10
          wait:
            description: More workers when the oldest job has waited for so many seconds.
            type: float
            default: 60
      signals:
        description: Bands of what a container is busy with, each the mean of the service's containers. More when one is above, fewer when all are below.
        type: dict
        suboptions:
          cpu:
            description: Percent of one core.
            type: dict
            suboptions:
              up:
                description: More containers above it.
                type: float
                required: true
              down:
                description: Fewer containers below it.
                type: float
                required: true
          memory:
            description: Percent of the container's memory limit.
            type: dict
            suboptions:
              up:
                description: More containers above it.
                type: float
                required: true
              down:
                description: Fewer containers below it.
                type: float
                required: true
          latency_ms:
            description: Milliseconds that an answer takes, as the proxy counts them.
            type: dict
            suboptions:
              up:
                description: More containers above it.
                type: float
                required: true
              down:
                description: Fewer containers below it.
                type: float
                required: true
          requests:
            description: Requests in a second.
            type: dict
            suboptions:
              up:
                description: More containers above it.
                type: float
                required: true
              down:
                description: Fewer containers below it.
                type: float
                required: true
  redis:
    description: Where the queues are.
    type: dict
    suboptions:
      url:
        description: C(redis://) or C(rediss://) with user and password.
        type: str
        required: true
      ca_file:
        description: Certificate of the authority that signed the server's, on the host.
        type: path
  drain_timeout:
    description: Seconds to wait for requests in flight before a replica is stopped.
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Scale the workers by their queue and the API by its load
  groundcrew.ops.compose_scale:
    name: shop
    slots: {a: 20000, b: 20100}
    rules:
      - service: worker
        maximum: 8
        queue:
          names: [orders]
          per_worker: 50
      - service: api
        minimum: 2
        maximum: 6
        signals:
          cpu: {up: 70, down: 30}
          latency_ms: {up: 500, down: 100}
    redis:
      url: "{{ shop_redis_url }}"
      ca_file: /etc/ssl/certs/ca-certificates.crt

- name: Run four workers
  groundcrew.ops.compose_scale:
    name: shop
    slots: {a: 20000, b: 20100}
    rules:
      - service: worker
        replicas: 4
"""

RETURN = r"""
release:
  description: Id of the release that serves.
  returned: success
  type: str
before:
  description: How many containers of each service ran; of a web service those in the proxy.
  returned: success
  type: dict
replicas:
  description: How many run now, or would in check mode.
  returned: success
  type: dict
reasons:
  description: Why, by service.
  returned: success
  type: dict
  sample: {worker: "250 jobs wait, the oldest for 12 s"}
forced:
  description: Requests that were still in flight when the drain's time was up.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._core.run import perform
from ansible_collections.groundcrew.ops.plugins.module_utils._release.argspec import DRAIN, PLACE, TRAFFIC
from ansible_collections.groundcrew.ops.plugins.module_utils._release.scale import Scale

BAND = {"type": "dict", "options": {"up": {"type": "float", "required": True}, "down": {"type": "float", "required": True}}}
SPEC = {
    "rules": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "service": {"type": "str", "required": True},
            "minimum": {"type": "int", "default": 1},
            "maximum": {"type": "int", "default": 1},
            "step": {"type": "int", "default": 2},
            "cooldown": {"type": "float", "default": 300.0},
            "replicas": {"type": "int"},
            "queue": {
                "type": "dict",
                "options": {
                    "names": {"type": "list", "elements": "str", "required": True},
                    "prefix": {"type": "str", "default": "bull"},
                    "per_worker": {"type": "int", "default": 50},
                    "up": {"type": "float", "default": 100},
                    "down": {"type": "float", "default": 10},
                    "wait": {"type": "float", "default": 60},
                },
            },
            "signals": {"type": "dict", "options": {"cpu": BAND, "memory": BAND, "latency_ms": BAND, "requests": BAND}},
        },
    },
    "redis": {"type": "dict", "options": {"url": {"type": "str", "required": True, "no_log": True}, "ca_file": {"type": "path"}}},
}


def main() -> None:
    perform(AnsibleModule(argument_spec=merge(PLACE, TRAFFIC, DRAIN, SPEC), supports_check_mode=True), Scale)


if __name__ == "__main__":
    main()
