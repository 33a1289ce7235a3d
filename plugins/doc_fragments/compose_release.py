# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of the modules that work on an application's releases; the specification is _release/argspec.py."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - Name of the application. Compose projects are called C(<name>-a), C(<name>-b), C(<name>-a-worker) and C(<name>-b-worker).
    type: str
    required: true
  root:
    description:
      - The application's folder on the host. Defaults to C(/opt/groundcrew/<name>).
    type: path
"""

    RELEASE = r"""
options:
  slots:
    description:
      - The first port on 127.0.0.1 of each slot; replica 1 of the web service listens there, replica 2 one above, and so on.
      - The proxy must have the same.
    type: dict
    required: true
    suboptions:
      a:
        description: First port of slot a.
        type: int
        required: true
      b:
        description: First port of slot b.
        type: int
        required: true
  health:
    description: How each replica proves that it can take traffic.
    type: dict
    suboptions:
      path:
        description: Path that answers 2xx when the application is ready.
        type: str
        default: /health/ready
      release_path:
        description: Path that answers JSON with a key C(release), asked when answers have no header C(X-Release).
        type: str
        default: /health/status
      successes:
        description: Good answers in a row, from the release itself, that each replica must give.
        type: int
        default: 3
      timeout:
        description: Seconds within which all replicas must become healthy.
        type: float
        default: 60.0
      interval:
        description: Seconds between two probes.
        type: float
        default: 0.2
  proxy:
    description: The HAProxy in front of the slots.
    type: dict
    suboptions:
      backend:
        description: Name of the application's backend. Defaults to C(app_<name>).
        type: str
      socket:
        description: HAProxy's runtime socket, with level admin.
        type: path
        default: /run/haproxy/admin.sock
      state_file:
        description: HAProxy's server state file, written after each change so that a reload or a reboot keeps it.
        type: path
        default: /var/lib/haproxy/server-state
      url:
        description: Where the application answers through the proxy on this host, asked to learn what is truly served.
        type: str
        default: http://127.0.0.1:80
      host:
        description: Host name sent with that question, where the proxy tells applications apart by name.
        type: str
  secrets:
    description:
      - Secrets that become files of mode 0400, mounted read-only at C(/run/secrets/<name>) in each service.
      - A new version of a secret is a new release.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the file.
        type: str
        required: true
      version:
        description: Version of the value, as the secret store names it. Shown in diffs and records.
        type: str
        required: true
      value:
        description: The value itself. Never shown.
        type: str
        required: true
  secret_owner:
    description: Numeric user that the application's containers run as, who may read the secret files.
    type: int
    default: 0
  drain_timeout:
    description: Seconds to wait for requests in flight before the old slot is stopped; requests cut then are counted in C(forced).
    type: float
    default: 30.0
  gate:
    description:
      - Whether a release that has the traffic may keep it. As long as the gate looks, the old slot runs on out of rotation.
      - The proxy's counters of the new slot are read once in each interval. Where there is too little traffic to tell, each replica is asked
        directly. What fails the gate is taken back at once, and the task fails with verdict C(rolled_back).
    type: dict
    suboptions:
      seconds:
        description: How long the gate looks. With 0 there is no gate, and nothing bakes.
        type: float
        default: 0.0
      interval:
        description: Seconds between two samples.
        type: float
        default: 1.0
      error_rate:
        description: Percent of the answers of a sample that may have a status of 500 or more, or be missing.
        type: float
        default: 5.0
      response_ms:
        description: Milliseconds that answers may take, as the mean of real requests and as the 95th percentile of probes.
        type: float
        default: 500.0
      requests:
        description: Fewest requests of a sample that tells anything.
        type: int
        default: 10
      failures:
        description: Bad samples that are forgiven.
        type: int
        default: 1
      inconclusive:
        description: Samples in a row that may tell nothing. A gate without a single good sample fails.
        type: int
        default: 3
      probe:
        description: Ask each replica on O(health.path) as often as requests are missing.
        type: bool
        default: true
  run:
    description: Name of the run that holds the lease. Phases of one release share it; without it each task is a run of its own.
    type: str
  controller:
    description: The process that makes the calls of O(run), as P(groundcrew.ops.controller#lookup) names it. Kept with the lease.
    type: str
    default: ""
  orphan:
    description:
      - A run whose controller is gone, as P(groundcrew.ops.orphan#filter) tells. Its lease is taken over at once, but for a step of it that
        still runs on the host, which is waited for.
    type: str
    default: ""
  resume:
    description:
      - What becomes of a release that an earlier run left in progress.
      - With V(auto) it is finished when it had traffic already and is the one that is asked for, or another host of the fleet has committed it
        (O(elsewhere)); else it is taken back.
      - V(forward) finishes one that had traffic, V(back) takes it back. Both take the lease from a run that still has it.
    type: str
    choices: [auto, forward, back]
    default: auto
  elsewhere:
    description: Releases that other hosts of the fleet have committed.
    type: list
    elements: str
    default: []
  lease_seconds:
    description: Seconds that a run holds the lease without a sign of life. It gives one while it works; between two phases there is none.
    type: float
    default: 300.0
  lease_wait:
    description: Seconds to wait for the lease of a run that shows no process on this host.
    type: float
    default: 0.0
  keep:
    description: How many committed releases stay stored for a rollback. What serves and the one before it always stay.
    type: int
    default: 5
  free_space:
    description: MiB that must be free below the application's folder and the engine's before anything begins.
    type: int
    default: 512
"""
