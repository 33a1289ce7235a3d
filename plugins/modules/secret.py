#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secret
short_description: Make a secret once, with stated entropy, and keep it encrypted
version_added: 0.1.0
description:
  - Makes sure that a secret exists in a store. A value that exists is never overwritten and never returned.
  - It runs on the control node, whatever the host of the task, by the Python of C(ansible-playbook). Files are encrypted as C(ansible-vault) does.
  - Read values with the lookup P(groundcrew.ops.secret#lookup), change them with M(groundcrew.ops.secret_rotation).
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.secret_store
attributes:
  check_mode:
    description: Predicts the change and writes nothing.
    support: full
  diff_mode:
    description: Shows how the secret is made and its fingerprint, never its value.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
  action:
    description: Runs on the control node.
    support: full
options:
  name:
    description:
      - The name of the secret, with V(/) between parts, for example V(shop/database).
    type: str
    required: true
  state:
    description:
      - V(absent) deletes the secret with all its versions. It is refused while a rotation is in progress.
    type: str
    choices: [present, absent]
    default: present
  kind:
    description:
      - V(password) is a string.
      - V(database_user) (PostgreSQL) and V(redis_user) (Redis, Valkey) are dictionaries with C(username) and C(password); a rotation alternates
        between two users.
      - V(api_key) is a string that somebody else issues, see O(value).
      - V(access_key) is a dictionary with C(access_key) and C(secret_key), of AWS or Spaces; V(managed_user) is one with C(username) and C(password), of a
        user whom the API of a database cluster makes. See O(fields).
      - V(signing_key) signs tokens (JSON Web Tokens, cookies). Consumers are given a set of them, so that a rotation refuses no token.
    type: str
    choices: [password, database_user, redis_user, managed_user, signing_key, api_key, access_key]
    default: password
  users:
    description:
      - The two users of a V(database_user), V(redis_user) or V(managed_user). The first one is used first.
    type: list
    elements: str
    default: []
  value:
    description:
      - What a V(password) or an V(api_key) begins with, for one that exists elsewhere already. One that is in the store is never overwritten, so this may stay.
      - Required for an V(api_key) that is not in the store yet.
    type: str
  fields:
    description:
      - What an V(access_key) or a V(managed_user) begins with; required for one that is not in the store yet. One that is there is never overwritten.
    type: dict
  algorithm:
    description:
      - Of a V(kind=signing_key). With V(HS256) whoever verifies can sign; with V(RS256) and V(ES256) verifiers are given the public part alone.
    type: str
    choices: [HS256, RS256, ES256]
    default: HS256
  entropy_bits:
    description:
      - The least entropy of a generated password or V(HS256) key, in bits, at least 128 (256 for a key). The length follows from it.
      - A change takes effect with the next rotation.
    type: int
    default: 192
  alphabet:
    description:
      - The characters of a generated password, each equally likely. Printable ASCII without the space, at least 10.
      - A change takes effect with the next rotation.
    type: str
    default: abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789
"""

EXAMPLES = r"""
- name: Make the secret that signs tokens
  groundcrew.ops.secret:
    store_path: "{{ inventory_dir }}/secrets"
    vault_password_file: ~/.config/groundcrew/vault-password
    name: shop/jwt
    entropy_bits: 256

- name: Make the credential of the database's two users
  groundcrew.ops.secret:
    store_path: "{{ inventory_dir }}/secrets"
    vault_password_file: ~/.config/groundcrew/vault-password
    name: shop/database
    kind: database_user
    users: [shop_a, shop_b]
"""

RETURN = r"""
secret:
  description: What may be told about the secret. All but the name are null when it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    kind:
      description: Its kind.
      type: str
    version:
      description: The id of the current version.
      type: str
    fingerprint:
      description: HMAC-SHA-256 of the current value with a salt of its own.
      type: str
    age_days:
      description: Days since the current version was made.
      type: float
    state:
      description: The state of the rotation in progress, or V(STEADY).
      type: str
"""
