# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree of files as the rules see it: this checkout, or the small bad one of a control."""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Tree:
    """Files below a root; ``names`` are theirs, relative to it."""

    root: Path
    names: Sequence[str]

    def glob(self, *patterns: str) -> list[str]:
        """Every file that a pattern matches (* goes through folders). A pattern that matches nothing guards nothing, so that is an error."""
        found: set[str] = set()
        for pattern in patterns:
            matched = fnmatch.filter(self.names, pattern)
            if not matched:
                raise LookupError(f"nothing matches {pattern}")
            found.update(matched)
        return sorted(found)

    def has(self, name: str) -> bool:
        """Whether this is a file, or a folder with files in it."""
        return any(known == name or known.startswith(f"{name}/") for known in self.names)

    def below(self, name: str) -> Iterator[str]:
        """The file of this name, or those in the folder of this name."""
        return (known for known in self.names if known == name or known.startswith(f"{name}/"))

    def text(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    def yaml(self, name: str) -> Any:
        return yaml.safe_load(self.text(name)) if name in self.names else None

    def python(self, name: str) -> ast.Module:
        return ast.parse(self.text(name), name)

    def constants(self, name: str) -> Mapping[str, str]:
        """The strings that a Python file gives to names at its top level or in a class there, such as DOCUMENTATION."""
        body = [part for node in self.python(name).body for part in (node.body if isinstance(node, ast.ClassDef) else [node])]
        return {
            target.id: node.value.value
            for node in body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def imports(self, name: str) -> Iterator[tuple[int, str]]:
        """What a Python file imports, as (level, dotted name); from x import y counts as x.y."""
        for node in ast.walk(self.python(name)):
            if isinstance(node, ast.Import):
                yield from ((0, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node.level, f"{node.module or ''}.{alias.name}") for alias in node.names)

    def roles(self) -> list[str]:
        return sorted({name.split("/")[1] for name in self.glob("roles/*/*")})
