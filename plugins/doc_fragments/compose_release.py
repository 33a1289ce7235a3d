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

    TRAFFIC = r"""
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
        default: 0.1
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
      master_socket:
        description:
          - Socket of HAProxy's master process, asked whether a worker from before a reload still runs. That one cannot be told anything any
            more, so nothing is stopped that it may send requests to. Where there is no such socket, nothing is waited for.
        type: path
        default: /run/haproxy-master.sock
      idle_timeout:
        description: Seconds after which HAProxy closes an idle connection of a client, C(proxy_timeout_client) of the role P(groundcrew.ops.proxy#role).
        type: float
        default: 60.0
      url:
        description: Where the application answers through the proxy on this host, asked to learn what is truly served.
        type: str
        default: http://127.0.0.1:80
      host:
        description: Host name sent with that question, where the proxy tells applications apart by name.
        type: str
"""

    RELEASE = r"""
options:
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
      metrics:
        description:
          - Look also at what each replica of the new slot counts itself, in Prometheus' text format, by the same limits.
          - Each source has to have seen something good. One without data fails the gate, which says so.
        type: dict
        suboptions:
          path:
            description: Path of the metrics.
            type: str
            default: /metrics
          requests:
            description: The counter of answers.
            type: str
            default: http_requests_total
          status_label:
            description: Its label that holds the HTTP status.
            type: str
            default: status
          duration:
            description: The histogram of the seconds that answers took. Without one only errors count.
            type: str
            default: http_request_duration_seconds
      prometheus:
        description: Look also at queries to a Prometheus server. Each gives one number for each series, and no result is no data.
        type: list
        elements: dict
        default: []
        suboptions:
          url:
            description: Address of the server, without C(/api/v1).
            type: str
            required: true
          query:
            description: The query (PromQL).
            type: str
            required: true
          maximum:
            description: What the numbers may be at the most. This or O(gate.prometheus[].minimum) is required.
            type: float
          minimum:
            description: What the numbers have to be at the least.
            type: float
          token:
            description: A bearer token for the server.
            type: str
      cloudwatch:
        description: Look also at alarms of CloudWatch, which all have to be C(OK). C(INSUFFICIENT_DATA) is no data. Needs python3-boto3 on the host.
        type: dict
        suboptions:
          alarms:
            description: The alarms by name.
            type: list
            elements: str
            required: true
          region:
            description: Region of the alarms. Found as boto3 finds it where it is missing, like the credentials.
            type: str
          endpoint_url:
            description: Another address than that of AWS.
            type: str
  canary:
    description:
      - A share of the traffic for the new slot before it gets all of it. In this time the gate (O(gate)) compares it with the old slot, which
        has the rest - errors and the mean of traffic by the proxy's counters, the 95th percentile by as many questions to both.
      - What is above a limit of the gate and worse than beside it takes the release back.
    type: dict
    suboptions:
      weight:
        description: Percent of the traffic. With 0 there is no canary within the host.
        type: float
        default: 0.0
      seconds:
        description: How long the two are compared.
        type: float
        default: 10.0
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
