# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options in module_utils/_rotation/options.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
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
          - V(bucket) keeps the same encrypted files in an S3 bucket. The bucket has to support conditional writes.
          - V(vault) is version 2 of the key-value engine of OpenBao or HashiCorp Vault. The fields of a secret are those of its current value,
            C(value) for a string.
          - V(secrets_manager) is AWS Secrets Manager, with a version for each value and the labels C(AWSCURRENT), C(AWSPENDING) and C(AWSPREVIOUS). The
            value is JSON with the same fields. The journals are kept in O(store.bucket) where it is given, else in O(store_path).
        type: str
        choices: [files, bucket, vault, secrets_manager]
        default: files
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
      - The folder of O(store.kind=files), on the control node. It is created with mode 0700.
      - Falls back to the environment variable E(GROUNDCREW_SECRET_STORE).
    type: path
  vault_password_file:
    description:
      - The file with the password that encrypts O(store.kind=files) and O(store.kind=bucket), or an executable that prints it.
      - Falls back to the environment variable E(ANSIBLE_VAULT_PASSWORD_FILE).
    type: path
"""
