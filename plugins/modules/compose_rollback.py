#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_rollback
short_description: Bring a stored release of a Compose application back
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Makes a committed release serve again, from what the host stored of it, through the same steps as a release, without asking the
    registry and without a migration.
  - Without a name it goes to the last release committed before the active one; running it twice never goes forward again.
  - While a release bakes (O(gate)), the one before still runs out of rotation; going back to it is one line to the proxy. It takes the
    lease from a run that waits at the gate.
  - A release that does not know the database's schema is refused, with the reason.
  - Secrets that are given replace the stored ones of the same name, so that a rollback does not bring a retired credential back. The
    release then has an id of its own.
extends_documentation_fragment:
  - groundcrew.ops.compose_release
  - groundcrew.ops.compose_release.traffic
  - groundcrew.ops.compose_release.release
attributes:
  check_mode:
    description: Predicts the same change as the run.
    support: full
  diff_mode:
    description: Shows both releases and the steps. Values that look secret are fingerprints.
    support: full
  idempotent:
    description: With O(release), the same rollback again changes nothing; without it, each run goes one release further back.
    support: partial
options:
  release:
    description: Id of a committed release that is still stored.
    type: str
  phase:
    description:
      - V(all) goes back. V(prepare) stops before anything is started; the phases of M(groundcrew.ops.compose_release) carry it on, in the same O(run).
      - A release that bakes is taken back in either case.
    type: str
    choices: [all, prepare]
    default: all
"""

EXAMPLES = r"""
- name: Go back to the release before
  groundcrew.ops.compose_rollback:
    name: shop
    slots:
      a: 20000
      b: 20100
"""

RETURN = r"""
release:
  description: Id of the release that serves now.
  returned: success
  type: str
previous:
  description: Id of the release that was active before.
  returned: success
  type: str
verdict:
  description: >-
    V(released), V(reverted) (a release that baked was taken back), V(prepared), V(unchanged), V(repaired) or V(planned); in a failed task
    V(rolled_back), V(failed) or V(refused).
  returned: always
  type: str
slot:
  description: The slot that serves.
  returned: success
  type: str
images:
  description: Image by digest of each service.
  returned: success
  type: dict
secrets:
  description: Version of each secret that the release uses, by name. When C(serving.release) is RV(release), the application runs with these.
  returned: success
  type: dict
serving:
  description: What answered through the proxy, with C(release) and C(status).
  returned: success
  type: dict
seconds:
  description: Seconds spent in each state of the release.
  returned: success
  type: dict
forced:
  description: Requests that were still in flight when the drain's time was up.
  returned: success
  type: int
migrated:
  description: Releases whose migration has run, as far as this host knows.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._core.run import perform
from ansible_collections.groundcrew.ops.plugins.module_utils._release.argspec import RELEASE
from ansible_collections.groundcrew.ops.plugins.module_utils._release.rollback import Rollback

SPEC = {
    "release": {"type": "str"},
    "phase": {"type": "str", "choices": ["all", "prepare"], "default": "all"},
}


def main() -> None:
    perform(AnsibleModule(argument_spec=merge(RELEASE, SPEC), supports_check_mode=True), Rollback, {"verdict": "failed"})


if __name__ == "__main__":
    main()
