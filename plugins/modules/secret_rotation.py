#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_rotation
short_description: Change a secret while everything that uses it keeps working
version_added: 0.1.0
description:
  - Rotates a credential for PostgreSQL, Redis or Valkey between two users (see M(groundcrew.ops.postgresql_login) and M(groundcrew.ops.redis_login)),
    access keys of AWS and Spaces, keys that sign tokens, and keys that somebody else issues.
  - V(begin) makes a new credential, has the server accept it beside the current one, proves it, and makes it current. Then
    the consumers are switched, for example by a release. V(finish) sees that all have moved, and takes the old credential away.
  - The store and the journal are on the control node, the server is spoken to by the host of the play, which has to reach it. Each step is
    written to the journal before it is taken, so a run that was killed is continued by the next one.
  - Before the new credential is current, a failure takes the rotation back. After that both credentials stay valid until the
    old one is proven unused.
  - A value is never returned, and never part of a command line.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.secret_store
  - groundcrew.ops.secret_store.schedule
  - groundcrew.ops.postgresql
requirements:
  - psycopg2 (Debian package python3-psycopg2) or redis (python3-redis) on the host of the play
  - boto3 (python3-boto3) on the control node, for V(provider=iam) and V(provider=spaces)
notes:
  - "For V(provider=redis) the options of the connection are those of M(groundcrew.ops.redis_login): O(login_port) is 6379 by default, O(login_user) is
    V(default), O(ssl_mode) is V(disable), V(require) or V(verify-full), there is no O(login_db), and no environment variable is looked at."
  - Environment variables that options fall back to are those of the control node.
  - Without C(pipelining), Ansible puts a module's options, and with them passwords, into a file of the host while it runs. So what is asked of a host is asked
    with it, whatever C(ansible.cfg) says. It needs a C(sudo) without C(requiretty).
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.postgresql) in C(module_defaults) to set the connection once.
    support: full
    membership:
      - groundcrew.ops.postgresql
  check_mode:
    description: Lists the steps that would be taken with their estimated time (RV(foretold)), and takes none.
    support: full
  diff_mode:
    description: Shows the states and the steps.
    support: full
  idempotent:
    description: Without O(force), nothing changes until the secret is due again.
    support: full
  action:
    description: The rotation runs on the control node, what it asks of the server on the host of the play.
    support: full
options:
  name:
    description:
      - A secret of kind C(database_user), C(redis_user), C(managed_user), C(signing_key), C(access_key), C(api_key), or a C(password).
    type: str
    required: true
  phase:
    description:
      - Between two phases the consumers switch to what the lookup gives them, and acknowledge it.
      - V(begin) starts a rotation when the secret is due or O(force) is set, or continues one up to the point where consumers switch.
      - V(publish), for a C(signing_key), makes the new key the one to sign with, now that every consumer accepts it.
      - V(finish) continues when they have switched, to the end; for a C(signing_key), to the point where they no longer accept the old one.
      - V(close), for a C(signing_key), ends it, when no consumer accepts the old key any more.
      - V(back) drops a rotation whose new credential is not current yet, or enables an old one again that was disabled.
      - V(status) tells where the rotation stands.
    type: str
    choices: [begin, publish, finish, close, back, status]
    required: true
  provider:
    description:
      - Who accepts the credential. V(postgresql), V(redis) and V(digitalocean) are connected to from the host of the play, the others from the control node.
      - V(digitalocean) is for a C(managed_user) of a PostgreSQL cluster (O(cluster)). Its API makes and deletes the users; their rights, and whether
        they may log in, are those of V(postgresql). No password is ever reset.
      - V(iam) and V(spaces) are for an C(access_key). The second key is made beside the first, and deleted last. In between V(iam) makes the old one
        C(Inactive), which can be undone; V(spaces) has no such thing. An answer that got lost leaves no key that nobody knows the secret of.
      - V(consumers) is for a C(signing_key).
      - V(issuer) is for an C(api_key). Its issuer makes the new one beside the old (O(supplied)), and revokes the old one when V(finish) asks for it;
        that it is accepted, and no longer, is seen by O(probe).
      - V(none) is for a C(password) that only the consumers know. Its change leaves a gap, see O(allow_auth_gap).
    type: str
    choices: [postgresql, redis, digitalocean, iam, spaces, consumers, issuer, none]
    default: postgresql
  owner:
    description:
      - The role that both users act as. Required for V(provider=postgresql) and V(provider=digitalocean).
    type: str
  holder:
    description:
      - Whose access key it is. For V(provider=iam) the name of the IAM user, for V(provider=spaces) the name of the key; those that a rotation makes are
        called by it and the first digits of their version.
    type: str
  cluster:
    description:
      - The name or the id of the database cluster, for V(provider=digitalocean).
    type: str
  space:
    description:
      - Where a key of V(provider=spaces) is seen to be accepted.
    type: dict
    suboptions:
      endpoint_url:
        description: The address of the region, for example V(https://fra1.digitaloceanspaces.com).
        type: str
        required: true
      region:
        description: The region to sign for.
        type: str
      bucket:
        description: A bucket that the key may list. Without it the key has to be one for all of them.
        type: str
  account:
    description:
      - Who may make and delete keys. What is left out is found on the control node, as boto3 finds it, and in E(DIGITALOCEAN_TOKEN) and
        E(DIGITALOCEAN_API_URL).
    type: dict
    default: {}
    suboptions:
      endpoint_url:
        description: The address of IAM and STS, for those that are not AWS.
        type: str
      region:
        description: The region of AWS.
        type: str
      access_key:
        description: The administrator's access key of AWS.
        type: str
      secret_key:
        description: Its secret.
        type: str
      session_token:
        description: The token of temporary credentials.
        type: str
      ca_bundle:
        description: The file with the certificate authorities that the server's certificate is checked against.
        type: path
      api_token:
        description: The token of DigitalOcean's API.
        type: str
      api_url:
        description: The address of DigitalOcean's API.
        type: str
  rules:
    description:
      - What both users may do, for V(provider=redis). Without it their rules are left as they are.
    type: str
  supplied:
    description:
      - The new key, for V(begin) with V(provider=issuer).
    type: str
  probe:
    description:
      - How to see whether a key is accepted, from the control node. Required for V(provider=issuer).
      - A V(2xx) accepts it, V(401) and V(403) refuse it, anything else is an error.
    type: dict
    suboptions:
      url:
        description: What to GET. It has to ask for a key.
        type: str
        required: true
      header:
        description: The header that the key is sent in.
        type: str
        default: Authorization
      prefix:
        description: What is written before the key.
        type: str
        default: "Bearer "
  allow_auth_gap:
    description:
      - "Change a value that cannot have a second one beside it: from its change until the last consumer has switched, consumers with different
        values refuse each other. As long as a release of all of them takes."
    type: bool
    default: false
  consumers:
    description:
      - Who has to acknowledge the new credential before anything old is touched. Recorded by V(begin).
    type: list
    elements: str
    default: []
  acknowledged:
    description:
      - Which consumer uses which value now, for V(publish), V(finish) and V(close).
    type: list
    elements: dict
    default: []
    suboptions:
      consumer:
        description: A name out of O(consumers).
        type: str
        required: true
      fingerprint:
        description: The fingerprint of the value it uses, as the lookup and RV(secret) tell it.
        type: str
        required: true
  force:
    description:
      - Start a rotation although the secret is not due. A rotation in progress is continued, never joined by a second one.
    type: bool
    default: false
  grace:
    description:
      - How long both credentials work after the last acknowledgement, at least, in seconds.
      - For a C(signing_key) no less than its tokens live, plus what caches and clocks may add.
    type: float
    default: 60
  quiet:
    description:
      - For how long there has to be no session of the old credential before it is disabled, in seconds.
    type: float
    default: 15
  timeout:
    description:
      - How long V(finish) waits for both at most, in seconds. Then it fails, and both credentials go on working.
    type: float
    default: 900
  observe:
    description:
      - How long the new credential is watched after the old one was disabled, in seconds. When it fails, the old one is enabled again.
    type: float
    default: 30
  cache:
    description:
      - For a C(signing_key) with a public part, how long others may keep the keys that consumers publish, in seconds. V(publish) lets nobody sign with the new
        key before that time has passed since all consumers had it.
    type: float
    default: 0
  compromised:
    description:
      - The old credential is known to others. V(begin) starts although the secret is not due. The order is kept, but nothing is waited for;
        its sessions are ended.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Begin, on a host that reaches the database
  groundcrew.ops.secret_rotation:
    store_path: "{{ inventory_dir }}/secrets"
    vault_password_file: ~/.config/groundcrew/vault-password
    name: shop/database
    phase: begin
    owner: shop
    consumers: "{{ groups['app'] }}"
    login_host: db.example.com
    login_port: 25060
    login_user: doadmin
    login_password: "{{ admin_password }}"
    login_db: shop

# … a release with the new credential on all hosts of the group app …

- name: Finish
  groundcrew.ops.secret_rotation:
    store_path: "{{ inventory_dir }}/secrets"
    vault_password_file: ~/.config/groundcrew/vault-password
    name: shop/database
    phase: finish
    owner: shop
    acknowledged:
      - consumer: web-1
        fingerprint: "{{ fingerprint_seen_on_web_1 }}"
    login_host: db.example.com
    login_port: 25060
    login_user: doadmin
    login_password: "{{ admin_password }}"
    login_db: shop

- name: Begin with the access key of an IAM user, as whoever the environment names
  groundcrew.ops.secret_rotation:
    store_path: "{{ inventory_dir }}/secrets"
    vault_password_file: ~/.config/groundcrew/vault-password
    name: shop/uploads
    phase: begin
    provider: iam
    holder: shop-uploads
    consumers: "{{ groups['app'] }}"
"""

RETURN = r"""
secret:
  description: What may be told about the secret.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    version:
      description: The id of the current version.
      type: str
    fingerprint:
      description: The fingerprint of the current value, which consumers acknowledge.
      type: str
    age_days:
      description: Days since the current version was made.
      type: float
    due:
      description: Whether a rotation would begin now. Outside of O(windows) it would not.
      type: bool
    late:
      description: Whether it has reached O(max_age_days).
      type: bool
    max_age_days:
      description: O(max_age_days).
      type: float
    next_due:
      description: From when on a rotation may begin, in UTC.
      type: str
    proven:
      description: When its current version was last seen at work by a rotation, in UTC.
      type: str
    state:
      description: The state of the rotation in progress, or V(STEADY).
      type: str
rotation:
  description: The latest rotation, null when there was none.
  returned: success
  type: dict
  contains:
    id:
      description: Its id.
      type: str
    state:
      description: The last state it completed.
      type: str
    outcome:
      description: V(done), V(back), or null while it is in progress.
      type: str
    old:
      description: The version it replaces.
      type: str
    new:
      description: The version it made.
      type: str
foretold:
  description:
    - What the phase does, or would do in a dry run, in sentences. The steps, each with the time that it took in earlier rotations of the secret; the estimated
      time of all (unknown until each was measured once), without that of the consumers' switch; who has to acknowledge; and what cannot be undone.
    - Empty when there is nothing to do, and for V(phase=back).
  returned: success
  type: list
  elements: str
missing:
  description: The consumers that have not acknowledged the new value.
  returned: failure for this reason
  type: list
  elements: str
"""
