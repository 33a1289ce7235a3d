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
  support:
    description:
      - Return the files that these Compose files name by a relative path instead, such as an C(env_file) or a mounted configuration, with
        all files of a folder, each with C(name), C(content) in base64 and C(mode). C(.env) is not among them, the release writes it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Release with the project's own files
  groundcrew.ops.compose_release:
    name: shop
    version: 1.1.0
    files: "{{ query('groundcrew.ops.compose_file', 'docker-compose.prod.api.yml', 'docker-compose.prod.worker.yml') }}"
    support_files: "{{ query('groundcrew.ops.compose_file', 'docker-compose.prod.api.yml', 'docker-compose.prod.worker.yml', support=true) }}"
    services: "{{ shop_services }}"
    slots: "{{ shop_slots }}"
"""

RETURN = r"""
_raw:
  description: >-
    For each file a dictionary with C(name) (its path below the folder of the first file), C(content), C(model) and C(part), which tells
    files that another one extends or includes; these come after the files that were named.
  type: list
  elements: dict
"""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.groundcrew.ops.plugins.module_utils._release import composefile
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import ComposeFile

LARGEST = 1024 * 1024


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        paths = [self._find(term, variables) for term in terms]
        if not paths:
            raise AnsibleLookupError("No Compose file was named.")
        folder = paths[0].parent
        files = [_read(path, _name(path, folder), part=False) for path in paths]
        for file in files:  # grows while it is read: a part can have parts
            for part in composefile.parts(file):
                if part.path not in {each.name for each in files} and (folder / part.path).is_file():
                    files.append(_read(folder / part.path, part.path, part=True))
        names = [file.name for file in files]
        if len(set(names)) < len(names):
            raise AnsibleLookupError(
                f"Two Compose files have the same name among {', '.join(names)}. Name them apart, or keep them below the first one's folder."
            )
        if self.get_option("support"):
            return list(_support(files, folder))
        return [{"name": file.name, "content": file.content, "model": file.model, "part": file.part} for file in files]

    def _find(self, term: str, variables: dict[str, Any] | None) -> Path:
        path = self.find_file_in_search_path(variables, "files", term, ignore_missing=True)
        if not path:
            raise AnsibleLookupError(f"Compose file {term} does not exist. Correct the path; a relative one is looked up from the playbook and the role.")
        return Path(path).resolve()


def _name(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name


def _read(path: Path, name: str, *, part: bool) -> ComposeFile:
    content = path.read_text(encoding="utf-8")
    try:
        model = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise AnsibleLookupError(f"Compose file {name} is not YAML: {error}") from error
    if not isinstance(model, dict):
        raise AnsibleLookupError(f"Compose file {name} holds no mapping at its top; a Compose file begins with services.")
    return ComposeFile(name, content, model, part)


def _support(files: list[ComposeFile], folder: Path) -> Iterator[dict[str, str]]:
    """What is there of the files that are named; the module says which of them are missing."""
    named = sorted({reference.path for file in files for reference in composefile.references(file)})
    outside = [path for path in named if path.startswith("..")]
    if outside:
        raise AnsibleLookupError(
            f"The Compose files name {', '.join(outside)}, outside of their folder {folder}. Move it into that folder, or use an absolute path."
        )
    found = {path for name in named for path in ([folder / name] if (folder / name).is_file() else (folder / name).rglob("*")) if path.is_file()}
    for path in sorted(found):
        if path.stat().st_size > LARGEST:
            raise AnsibleLookupError(f"{path} is larger than 1 MiB; a release carries configuration. Use a named volume or an absolute path for data.")
        mode = 0o755 if os.access(path, os.X_OK) else 0o644
        yield {"name": str(path.relative_to(folder)), "content": base64.b64encode(path.read_bytes()).decode(), "mode": f"{mode:04o}"}
