#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_maintain
short_description: VACUUM, ANALYZE and REINDEX what needs it, while others work
version_added: 0.1.0
description:
  - Measures every table and index of O(login_db), and works on those that are over a limit - C(VACUUM) for dead rows, with C(FREEZE) before the age of a
    table makes the server do it, C(ANALYZE) for rows that changed, C(REINDEX CONCURRENTLY) for b-trees that are bloated.
  - Invalid indexes that a C(REINDEX CONCURRENTLY) left behind when it broke off are removed.
  - No session waits for it longer than O(max_wait_ms). Nothing that it does keeps rows from being read or written; a second session looks who waits all the
    same, for instance to change a table, and cancels what is done in time. It is tried three times, then the task fails and says so.
  - Figures are exact where the database has the extension C(pgstattuple) and O(login_user) may ask it, and come from the server's statistics elsewhere. Those
    cannot tell indexes other than b-trees, nor those of which no statistics were made.
  - Tables are not truncated, for that would lock them. Room inside of them is used by new rows.
  - Connect to the server itself, not through a pool of transactions. A run that is killed leaves nothing at work in the server since PostgreSQL 14.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.postgresql
requirements:
  - psycopg2 (Debian package python3-psycopg2)
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.postgresql) in C(module_defaults) to set the connection once.
    support: full
    membership:
      - groundcrew.ops.postgresql
  check_mode:
    description: Measures, and names each statement with the figure that led to it.
    support: full
  diff_mode:
    description: Shows the figures of what is worked on.
    support: full
  idempotent:
    description: Does nothing while no table or index is over a limit.
    support: full
options:
  max_dead_percent:
    description:
      - How many of a table's rows may be dead.
    type: float
    default: 20.0
  max_changed_percent:
    description:
      - How many of a table's rows may have changed since the planner's statistics were made.
    type: float
    default: 10.0
  min_changed_rows:
    description:
      - With fewer changed rows than that statistics are not made anew.
    type: int
    default: 10000
  max_age_percent:
    description:
      - How old the oldest transaction of a table may be, in percent of C(autovacuum_freeze_max_age) (C(autovacuum_multixact_freeze_max_age) for those that
        share locks), from which on the server works on it whatever else it has to do.
    type: float
    default: 75.0
  max_bloat_percent:
    description:
      - How much of an index a new one would not need. One that is written to in no order has about 25.
    type: float
    default: 40.0
  min_mib:
    description:
      - MiB of dead rows, or of an index, that are worth it.
    type: float
    default: 8.0
  max_wait_ms:
    description:
      - How long another session may wait for this module, in milliseconds. At least 100.
    type: int
    default: 1000
  patience:
    description:
      - How many seconds C(REINDEX CONCURRENTLY) waits for transactions of others to end, which keeps nobody from anything.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Maintain the shop's tables
  groundcrew.ops.postgresql_maintain:
    login_host: db.example.com
    login_user: doadmin
    login_password: "{{ admin_password }}"
    login_db: shop
    max_wait_ms: 500
"""

RETURN = r"""
statements:
  description: What was done, or would be in check mode, each with the figure that led to it.
  returned: success
  type: list
  elements: str
  sample: ["VACUUM (TRUNCATE false) public.orders: 43 % of its rows are dead (limit 20 %), about 120 MiB"]
left:
  description: What is over a limit and needs somebody, or somebody else, to decide.
  returned: success
  type: list
  elements: str
longest_wait_ms:
  description: The longest that another session was seen waiting for this module. 0 in check mode.
  returned: success
  type: int
measured_by:
  description: V(pgstattuple) or V(statistics).
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.argspec import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.maintain import LIMITS, Maintenance


def main() -> None:
    run.perform(AnsibleModule(argument_spec=argspec.merge(CONNECTION, LIMITS), supports_check_mode=True), Maintenance)


if __name__ == "__main__":
    main()
