# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options in module_utils/_rotation/options.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - sops 3.9 or later, for O(store.kind=sops)
  - boto3 1.26 or later (Debian package python3-boto3), for O(store.kind=bucket) and O(store.kind=secrets_manager)
options:
  store:
    description:
      - Where secrets are kept. Without it they are encrypted files on the control node.
    type: dict
    suboptions:
      kind:
        description:
          - V(files) are encrypted by O(vault_password_file) and lie in O(store_path).
          - V(sops) are files in O(store_path) too, encrypted by the program C(sops) for the holders of age keys (O(store.age_recipients)), or as a
            C(.sops.yaml) in that folder or above it says (KMS, PGP). Whoever has a key reads them without us, for example by the lookup of C(community.sops).
          - V(bucket) keeps the same encrypted files in an S3 bucket. The bucket has to support conditional writes.
          - V(vault) is version 2 of the key-value engine of OpenBao or HashiCorp Vault. The fields of a secret are those of its current value,
            C(value) for a string.
          - V(secrets_manager) is AWS Secrets Manager, with a version for each value and the labels C(AWSCURRENT), C(AWSPENDING) and C(AWSPREVIOUS). The
            value is JSON with the same fields. The journals are kept in O(store.bucket) where it is given, else in O(store_path).
        type: str
        choices: [files, sops, bucket, vault, secrets_manager]
        default: files
      age_recipients:
        description:
          - The public keys of age that V(sops) encrypts for. Without one, C(.sops.yaml) decides.
        type: list
        elements: str
        default: []
      age_key_file:
        description:
          - The file with the private key of age, for V(sops). Without it C(sops) looks for a key in its own places, E(SOPS_AGE_KEY_FILE) among them.
        type: path
      prefix:
        description:
          - What the names begin with, of V(bucket), V(vault) and V(secrets_manager).
        type: str
        default: ""
      bucket:
        description:
          - The bucket, which has to exist.
        type: str
      endpoint_url:
        description:
          - The address of the services, for those that are not AWS.
        type: str
      region:
        description:
          - The region. Falls back to E(AWS_REGION) and E(AWS_DEFAULT_REGION).
        type: str
      access_key:
        description:
          - The access key. Falls back to E(AWS_ACCESS_KEY_ID), then to what boto3 finds (profile, instance role).
        type: str
      secret_key:
        description:
          - The secret key. Falls back to E(AWS_SECRET_ACCESS_KEY).
        type: str
      session_token:
        description:
          - The token of temporary credentials. Falls back to E(AWS_SESSION_TOKEN).
        type: str
      addressing_style:
        description:
          - How the bucket is named in a request; V(path) suits most stores that are not AWS.
        type: str
        choices: [auto, path, virtual]
        default: auto
      ca_bundle:
        description:
          - The file with the certificate authorities that the server's certificate is checked against. Falls back to E(AWS_CA_BUNDLE).
        type: path
      url:
        description:
          - The address of V(vault). Falls back to E(BAO_ADDR) and E(VAULT_ADDR).
        type: str
      token:
        description:
          - The token for V(vault), by any way of signing in (C(community.hashi_vault.vault_login)). Falls back to E(BAO_TOKEN) and E(VAULT_TOKEN).
        type: str
      mount:
        description:
          - Where the engine of V(vault) is mounted.
        type: str
        default: secret
      namespace:
        description:
          - The namespace of V(vault). Falls back to E(BAO_NAMESPACE) and E(VAULT_NAMESPACE).
        type: str
  store_path:
    description:
      - The folder of O(store.kind=files) and O(store.kind=sops), on the control node. It is created with mode 0700.
      - Falls back to the environment variable E(GROUNDCREW_SECRET_STORE).
    type: path
  vault_password_file:
    description:
      - The file with the password that encrypts O(store.kind=files) and O(store.kind=bucket), or an executable that prints it.
      - Falls back to the environment variable E(ANSIBLE_VAULT_PASSWORD_FILE).
    type: path
"""

    SCHEDULE = r"""
options:
  max_age_days:
    description:
      - From this age on, in days, a secret is late.
    type: float
    default: 30.0
  slack_days:
    description:
      - It is due this many days earlier, so that a rotation that fails can be repaired in time. At most a quarter of O(max_age_days) counts.
    type: float
    default: 3.0
  jitter_days:
    description:
      - It is due up to this many days earlier still, by a share that follows from its version, so that not all are due at once. At most a quarter of
        O(max_age_days) counts.
    type: float
    default: 2.0
  windows:
    description:
      - When rotations may begin; without one, always. A rotation that is forced, or of what is compromised, waits for none.
    type: list
    elements: dict
    default: []
    suboptions:
      days:
        description: Days of the week; empty for all.
        type: list
        elements: str
        choices: [mon, tue, wed, thu, fri, sat, sun]
        default: []
      begins:
        description: When it begins, C(HH:MM) in UTC.
        type: str
        required: true
      hours:
        description: How long it is open, at most 24.
        type: float
        required: true
"""
