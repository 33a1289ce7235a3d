# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option sets REPOSITORY, IDENTITY and TOOLS in module_utils/_backup/options.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  bucket:
    description:
      - The bucket with the backups. It must exist (role P(groundcrew.ops.backup_repository#role)).
    type: str
    required: true
  prefix:
    description:
      - The folder in the bucket.
    type: str
    default: ""
  signing_key:
    description:
      - The secret, at least 16 characters, that signs manifests. A backup can only be found and restored with the key that signed it.
      - Keep it apart from the credentials of the bucket. Falls back to E(GROUNDCREW_BACKUP_SIGNING_KEY).
    type: str
    required: true
"""

    IDENTITY = r"""
options:
  database:
    description:
      - Whose backups are meant, compared as a whole. For Redis it is the name that they were given.
    type: str
    required: true
  system_id:
    description:
      - The identifier of the cluster it was in. Needed when databases of that name were backed up from several.
    type: str
  engine:
    description:
      - What was backed up.
    type: str
    choices: [postgresql, redis]
    default: postgresql
"""

    TOOLS = r"""
options:
  jobs:
    description:
      - How many tables are dumped or restored at a time.
    type: int
    default: 2
  staging_dir:
    description:
      - An existing folder through which the dump goes. What is put there is removed at the end.
    type: path
    default: /var/tmp
  encryption_key:
    description:
      - The secret, at least 16 characters, with which objects are sealed (AES-256-GCM) before they leave the host. Omitted, they are not.
      - Without it a sealed backup is lost. Keep it in a second place. Falls back to E(GROUNDCREW_BACKUP_ENCRYPTION_KEY).
      - Needs cryptography (Debian package python3-cryptography).
    type: str
  bin_dir:
    description:
      - The folder with C(pg_dump) and C(pg_restore). Found below C(/usr/lib/postgresql) when omitted, not older than the server.
    type: path
"""
