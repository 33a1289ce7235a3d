# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option set S3 in module_utils/_backup/options.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - boto3 1.26 or later (Debian package python3-boto3)
options:
  endpoint_url:
    description:
      - The address of a store that speaks S3, for example V(https://fra1.digitaloceanspaces.com). Not needed for AWS.
      - Falls back to E(AWS_ENDPOINT_URL_S3) and E(AWS_ENDPOINT_URL).
    type: str
  region:
    description:
      - The region of the bucket. Falls back to E(AWS_REGION) and E(AWS_DEFAULT_REGION).
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
      - The file with the certificate authorities that the store's certificate is checked against. Falls back to E(AWS_CA_BUNDLE).
    type: path
"""
