# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of secrets, read on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: secret
short_description: Read a secret from its store
version_added: 0.1.0
description:
  - Reads a value that M(groundcrew.ops.secret) made. Pass it only to tasks that do not show it.
author:
  - groundcrew.ops contributors (@groundcrew)
options:
  _terms:
    description: The names of secrets.
    type: list
    elements: str
    required: true
  version:
    description:
      - V(current), V(previous), V(pending), or the id of a version.
    type: str
    default: current
  field:
    description:
      - A field of a dictionary, for example V(username), or V(version) or V(fingerprint) to identify the value without showing it.
      - "Of a C(signing_key): V(keyset) is JSON for whoever signs, with the C(kid) to sign with (C(sign)) and all keys to accept (C(keys), as JSON
        Web Keys); V(jwks) is the JSON Web Key Set for whoever only verifies. Its V(fingerprint) is that of the whole set, so it changes each time
        that consumers have something to switch to."
      - The whole value by default.
    type: str
  default:
    description:
      - What to return for a secret that does not exist. Without it that is an error.
      - "In a dry run nothing is made: use C(default=ansible_check_mode | ternary('made by the run', none))."
    type: raw
  predicted:
    description:
      - "What O(field=fingerprint) returns in a dry run for secrets that the run would change: fingerprints by the secrets' names. The verb
        C(rotate) of the role P(groundcrew.ops.secret#role) makes it, so that a dry run sees the consumers switch."
    type: raw
    vars:
      - name: secret_predicted
  store:
    description:
      - Where secrets are kept, as a dictionary with the options of O(groundcrew.ops.secret#module:store). Without it they are files in O(store_path).
    type: raw
    vars:
      - name: secret_store
  store_path:
    description:
      - The folder of a store of files.
    type: str
    vars:
      - name: secret_store_path
    env:
      - name: GROUNDCREW_SECRET_STORE
  vault_password_file:
    description:
      - The file with the password that encrypts a store of files or in a bucket, or an executable that prints it.
    type: str
    vars:
      - name: secret_vault_password_file
    env:
      - name: ANSIBLE_VAULT_PASSWORD_FILE
"""

EXAMPLES = r"""
- name: Give the application its database
  ansible.builtin.set_fact:
    database_user: "{{ lookup('groundcrew.ops.secret', 'shop/database', field='username') }}"

- name: Tell which version is current
  ansible.builtin.debug:
    msg: "{{ lookup('groundcrew.ops.secret', 'shop/database', field='fingerprint') }}"
"""

RETURN = r"""
_raw:
  description: One value for each name.
  type: list
  elements: raw
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.path import unfrackpath

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import keys, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Version
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.options import Opener
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Store
from ansible_collections.groundcrew.ops.plugins.plugin_utils.vault import VaultLibrary


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[Any]:
        self.set_options(var_options=variables, direct=kwargs)
        paths = {option: self._resolved(option) for option in ("store_path", "vault_password_file")}
        try:
            store = Opener({"store": self._templar.template(self.get_option("store")), **paths}, VaultLibrary).store()
            return [self._value(store, term) for term in terms]
        except OpsError as error:
            raise AnsibleLookupError(error.message) from error

    def _resolved(self, option: str) -> str | None:
        """A path. An option that comes from a variable arrives as it is written there, with its templates; so its type is not ``path``."""
        path = self._templar.template(self.get_option(option))
        return unfrackpath(path) if path else None

    def _value(self, store: Store, name: str) -> Any:
        if self.get_option("field") == "fingerprint":
            predicted = self._templar.template(self.get_option("predicted")) or {}
            if name in predicted:
                return predicted[name]
        secret = store.get(name)
        which = self.get_option("version")
        version = secret.version(which) if secret is not None else None
        if secret is not None and which == "current" and self.get_option("field") in _OF_SECRET:
            return _OF_SECRET[self.get_option("field")](secret)
        if version is not None:
            return _field(name, version, self.get_option("field"))
        default = self.get_option("default")
        if default is not None:
            return default
        raise OpsError(f"There is no secret {name} in the store." if secret is None else f"The secret {name} has no version {which}.")


_OF_SECRET = {
    "fingerprint": policy.consumed_fingerprint,
    "keyset": policy.keyset,
    "jwks": lambda secret: keys.jwks(policy.accepted_keys(secret)),
}


def _field(name: str, version: Version, field: str | None) -> Any:
    if field is None:
        return version.value
    if field == "version":
        return version.id
    if field == "fingerprint":
        return version.fingerprint
    if not isinstance(version.value, dict) or field not in version.value:
        known = ", ".join(version.value) if isinstance(version.value, dict) else "no fields, it is a string"
        raise OpsError(f"The secret {name} has no field {field}; it has {known}.")
    return version.value[field]
