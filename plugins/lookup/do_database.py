# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: do_database
short_description: Read how to reach a managed database of DigitalOcean
version_added: 0.1.0
description:
  - Asks the API for one field of the connection of a database cluster, at the moment in which the expression is evaluated.
  - V(password) and V(uri) are secrets. Use them only in the arguments of a task with C(no_log=true), never in a variable that is set as a fact.
author:
  - groundcrew.ops contributors (@groundcrew)
options:
  _terms:
    description:
      - The names or the ids of clusters.
    type: list
    elements: str
    required: true
  field:
    description:
      - What to return.
    type: str
    choices: [host, private_host, port, user, password, database, ca, uri]
    default: uri
  user:
    description:
      - The database user for V(user), V(password) and V(uri). Without it the cluster's own user.
    type: str
  database:
    description:
      - The database for V(database) and V(uri). Without it the one that the cluster was created with.
    type: str
  pool:
    description:
      - Connect through this connection pool of a PostgreSQL cluster. Without O(user) and O(database) they are those of the pool.
    type: str
  api_token:
    description:
      - A personal access token of the DigitalOcean account.
    type: str
    env:
      - name: DIGITALOCEAN_TOKEN
      - name: DO_API_TOKEN
    vars:
      - name: digitalocean_token
  api_url:
    description:
      - Where the API is.
    type: str
    default: https://api.digitalocean.com
    env:
      - name: DIGITALOCEAN_API_URL
  api_timeout:
    description:
      - Seconds to wait for the answer to one request.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Back up the database
  groundcrew.ops.postgresql_backup:
    login_host: "{{ lookup('groundcrew.ops.do_database', 'shop-pg', field='host') }}"
    login_port: "{{ lookup('groundcrew.ops.do_database', 'shop-pg', field='port') }}"
    login_user: doadmin
    login_password: "{{ lookup('groundcrew.ops.do_database', 'shop-pg', field='password') }}"
    login_db: shop
  no_log: true
"""

RETURN = r"""
_raw:
  description: The field of each cluster; the port as text.
  type: list
  elements: str
"""

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.credentials import connection_field


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            client = connect(self.get_options())
            which = {option: self.get_option(option) for option in ("user", "database", "pool")}
            return [connection_field(client, term, self.get_option("field"), **which) for term in terms]
        except OpsError as error:
            raise AnsibleError(error.message) from error
