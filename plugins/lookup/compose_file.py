# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: compose_file
short_description: Read Compose files for a release
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Reads Compose files on the control node and returns each with its name, its text as it is, and what the text says, as
    M(groundcrew.ops.compose_release) takes them.
options:
  _terms:
    description: Paths of the files; a relative one is looked up like any file of a play or role.
    type: list
    elements: path
    required: true
"""

EXAMPLES = r"""
- name: Release with the project's own files
  groundcrew.ops.compose_release:
    name: shop
    version: 1.1.0
    files: "{{ query('groundcrew.ops.compose_file', 'docker-compose.prod.api.yml', 'docker-compose.prod.worker.yml') }}"
    services: "{{ shop_services }}"
    slots: "{{ shop_slots }}"
"""

RETURN = r"""
_raw:
  description: For each file a dictionary with C(name), C(content) and C(model).
  type: list
  elements: dict
"""

import os
from typing import Any

import yaml
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        return [self._read(term, variables) for term in terms]

    def _read(self, term: str, variables: dict[str, Any] | None) -> dict[str, Any]:
        path = self.find_file_in_search_path(variables, "files", term, ignore_missing=True)
        if not path:
            raise AnsibleLookupError(f"Compose file {term} does not exist. Correct the path; a relative one is looked up from the playbook and the role.")
        with open(path, encoding="utf-8") as stream:
            content = stream.read()
        try:
            model = yaml.safe_load(content)
        except yaml.YAMLError as error:
            raise AnsibleLookupError(f"Compose file {term} is not YAML: {error}") from error
        if not isinstance(model, dict):
            raise AnsibleLookupError(f"Compose file {term} holds no mapping at its top; a Compose file begins with services.")
        return {"name": os.path.basename(path), "content": content, "model": model}
