# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The architecture (docs/architecture.md) as rules: each takes a tree and yields what is wrong with it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.shape.tree import Tree

VERBS = frozenset({"main", "backup", "restore", "verify", "rollback", "scale", "rotate", "maintain", "audit", "diagnose", "remove"})
RUNNER = "plugins/module_utils/_core/run.py"
MODULE_UTILS = "ansible_collections.groundcrew.ops.plugins.module_utils."
LICENSE = [
    "# Copyright (c) 2026, groundcrew.ops contributors",
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
]
# The bracket in each keeps this file from being a finding of its own rule.
MACHINES = re.compile(
    r"(?<![\w.}/])/(?:[w]ork|[t]mp/setup|[r]oot/(?:main|\.pyenv))/"  # a folder of the machine somebody worked on
    r"|[r]egistry\.npmjs\.org|[f]iles\.pythonhosted\.org|[d]eb\.debian\.org|[s]ecurity\.debian\.org|[p]ypi\.org/simple|[g]hcr\.io|[q]uay\.io"
)


def verbs(tree: Tree, role: str) -> set[str]:
    """The public task files of a role."""
    found = (re.fullmatch(rf"roles/{role}/tasks/([a-z][a-z_]*)\.yml", name) for name in tree.names)
    return {match[1] for match in found if match}


def entry_points(tree: Tree, role: str) -> dict[str, dict[str, Any]]:
    """What a role declares: each verb with its options."""
    return {verb: spec.get("options") or {} for verb, spec in ((tree.yaml(f"roles/{role}/meta/argument_specs.yml") or {}).get("argument_specs") or {}).items()}


def documentation(tree: Tree, name: str) -> tuple[dict[str, Any], set[str]]:
    """A module's documentation with its fragments' attributes, and the fragments it extends."""
    said = yaml.safe_load(tree.constants(name).get("DOCUMENTATION", "")) or {}
    extended = said.get("extends_documentation_fragment") or []
    fragments = {fragment.removeprefix("groundcrew.ops.") for fragment in ([extended] if isinstance(extended, str) else extended)}
    attributes: dict[str, Any] = {}
    for fragment in fragments:
        file, _dot, part = fragment.partition(".")
        source = f"plugins/doc_fragments/{file}.py"
        if source in tree.names:
            attributes |= (yaml.safe_load(tree.constants(source).get(part.upper() or "DOCUMENTATION", "")) or {}).get("attributes") or {}
    return {**said, "attributes": attributes | (said.get("attributes") or {})}, fragments


def only_the_runner_touches_the_module(tree: Tree) -> Iterator[str]:
    """Check mode, exit and fail live in one file."""
    for name in tree.glob("plugins/modules/*.py", "plugins/module_utils/*.py"):
        if name == RUNNER:
            continue
        for node in ast.walk(tree.python(name)):
            if isinstance(node, ast.Attribute | ast.Name) and (word := getattr(node, "attr", getattr(node, "id", ""))) in {
                "check_mode",
                "exit_json",
                "fail_json",
            }:
                yield f"{name}:{node.lineno}: {word} belongs to {RUNNER}"


def domains_know_no_ansible(tree: Tree) -> Iterator[str]:
    """A domain imports nothing from Ansible, directly or as the runner; a managed host runs it without."""
    for name in tree.glob("plugins/module_utils/_*/*.py"):
        if "/_core/" not in name:
            for _level, imported in tree.imports(name):
                if imported.split(".")[0] == "ansible" or imported.startswith(f"{MODULE_UTILS}_core.run"):
                    yield f"{name}: a domain imports {imported}"


def the_core_knows_no_domain(tree: Tree) -> Iterator[str]:
    for name in tree.glob("plugins/module_utils/_core/*.py"):
        for _level, imported in tree.imports(name):
            if imported.startswith(MODULE_UTILS) and not imported.startswith(f"{MODULE_UTILS}_core."):
                yield f"{name}: the core imports {imported}"


def imports_are_absolute(tree: Tree) -> Iterator[str]:
    for name in tree.glob("plugins/*.py", "tests/*.py"):
        for level, imported in tree.imports(name):
            if level:
                yield f"{name}: relative import of {imported}"


def modules_are_documented(tree: Tree) -> Iterator[str]:
    for name in tree.glob("plugins/modules/*.py"):
        constants = tree.constants(name)
        yield from (f"{name}: no {part}" for part in ("DOCUMENTATION", "EXAMPLES", "RETURN") if not constants.get(part, "").strip())
        said, _fragments = documentation(tree, name)
        yield from (f"{name}: the attribute {attribute} is not documented" for attribute in ("check_mode", "diff_mode") if attribute not in said["attributes"])
        if said.get("module") != name.rpartition("/")[2].removesuffix(".py"):
            yield f"{name}: documents {said.get('module')}"


def action_groups_are_the_modules_of_the_fragments(tree: Tree) -> Iterator[str]:
    """A group holds the modules that extend the fragment of its name, and a module names the groups it is in."""
    groups: dict[str, list[str]] = tree.yaml("meta/runtime.yml")["action_groups"]
    expected: dict[str, set[str]] = {group: set() for group in groups}
    for name in tree.glob("plugins/modules/*.py"):
        module = name.rpartition("/")[2].removesuffix(".py")
        said, fragments = documentation(tree, name)
        member_of = fragments & set(groups)
        for group in member_of:
            expected[group].add(module)
        membership = (said["attributes"].get("action_group") or {}).get("membership") or []
        if {f"groundcrew.ops.{group}" for group in member_of} != set([membership] if isinstance(membership, str) else membership):
            yield f"{name}: says membership {membership}, extends the fragments of {sorted(member_of)}"
    for group, modules in groups.items():
        if modules != sorted(expected[group]):
            yield f"meta/runtime.yml: {group} should be {sorted(expected[group])}"


def task_files_are_entry_points(tree: Tree) -> Iterator[str]:
    """Each public task file is a declared verb from the closed list, and the other way round."""
    for role in tree.roles():
        there, declared = verbs(tree, role), set(entry_points(tree, role))
        yield from (f"roles/{role}: {verb}.yml is not declared in meta/argument_specs.yml" for verb in sorted(there - declared))
        yield from (f"roles/{role}: {verb} is declared, and there is no tasks/{verb}.yml" for verb in sorted(declared - there))
        yield from (f"roles/{role}: {verb} is not a verb; a private step is tasks/_{verb}.yml" for verb in sorted(there - VERBS))


def defaults_are_the_specs(tree: Tree) -> Iterator[str]:
    """A default is in force in defaults/main.yml and documented in the spec, with the same value."""
    for role in tree.roles():
        defaults = tree.yaml(f"roles/{role}/defaults/main.yml") or {}
        declared: set[str] = set()
        for verb, options in entry_points(tree, role).items():
            for option, spec in options.items():
                declared.add(option)
                if not option.startswith(f"{role}_"):
                    yield f"roles/{role}: {verb} declares {option}, which does not begin with {role}_"
                if "default" in spec and (option not in defaults or defaults[option] != spec["default"]):
                    yield f"roles/{role}: {verb} documents {option}={spec['default']!r}, defaults/main.yml has {defaults.get(option)!r}"
                if "default" not in spec and option in defaults:
                    yield f"roles/{role}: {verb} documents no default of {option}, defaults/main.yml has {defaults[option]!r}"
                if spec.get("required") and option in defaults:
                    yield f"roles/{role}: {verb} requires {option}, which has a default"
        yield from (f"roles/{role}: no entry point declares {option}" for option in sorted(set(defaults) - declared))


def verbs_have_a_heading(tree: Tree) -> Iterator[str]:
    for role in tree.roles():
        readme = f"roles/{role}/README.md"
        headings = set(re.findall(r"^## `?(\w+)`?\s*$", tree.text(readme), re.M)) if readme in tree.names else set()
        yield from (f"{readme}: no heading ## {verb}" for verb in sorted(set(entry_points(tree, role)) - headings))


def tasks_of(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The tasks of a play or block, those in blocks too."""
    for section in ("pre_tasks", "tasks", "post_tasks", "block", "rescue", "always"):
        for task in part.get(section) or []:
            yield from tasks_of(task) if "block" in task else [task]


def verbs_run_by(tree: Tree, playbook: str) -> Iterator[tuple[str, str]]:
    """Each role and verb that a playbook runs, itself or by a playbook that it imports."""
    for play in tree.yaml(playbook) or []:
        if imported := play.get("ansible.builtin.import_playbook"):
            yield from verbs_run_by(tree, f"{playbook.rpartition('/')[0]}/{imported}")
        for task in tasks_of(play):
            for role in (task[word] for word in ("ansible.builtin.import_role", "ansible.builtin.include_role") if word in task):
                yield role["name"].removeprefix("groundcrew.ops."), role.get("tasks_from", "main").removesuffix(".yml")


def runs(tree: Tree, test: str | dict[str, str], role: str, verb: str) -> bool:
    """Whether a test names role and verb or, given as {test: playbook}, a playbook that runs them. LookupError: it is not there."""
    name, playbook = (test, None) if isinstance(test, str) else next(iter(test.items()))
    text = "\n".join(tree.text(file) for file in tree.below(name))
    if not text:
        raise LookupError(f"{name} is not there")
    if playbook:
        return playbook in text and (role, verb) in verbs_run_by(tree, playbook)
    return f"groundcrew.ops.{role}" in text and (verb == "main" or re.search(rf"\b{verb}\b", text) is not None)


def verbs_are_tested(tree: Tree) -> Iterator[str]:
    """tests/shape/verbs.yml says for each verb which tests run it; each of them is there and does."""
    register: dict[str, dict[str, list[str | dict[str, str]]]] = tree.yaml("tests/shape/verbs.yml") or {}
    for role in tree.roles():
        tested = register.get(role) or {}
        for verb in sorted(entry_points(tree, role)):
            if not tested.get(verb):
                yield f"roles/{role}: no test of {verb}"
        for verb, tests in tested.items():
            if verb not in entry_points(tree, role):
                yield f"tests/shape/verbs.yml: {role} has no {verb}"
            for test in tests or []:
                try:
                    if not runs(tree, test, role, verb):
                        yield f"tests/shape/verbs.yml: {role} {verb}: {test} does not run it"
                except LookupError as missing:
                    yield f"tests/shape/verbs.yml: {role} {verb}: {missing}"
    yield from (f"tests/shape/verbs.yml: there is no role {role}" for role in sorted(set(register) - set(tree.roles())))


def playbooks_contain_no_work(tree: Tree) -> Iterator[str]:
    """A playbook says who, in what order and how carefully; what is done is a role's."""
    allowed = {"ansible.builtin.import_role", "ansible.builtin.include_role", "ansible.builtin.debug", "ansible.builtin.meta"}
    for name in tree.glob("playbooks/*.yml"):
        for play in tree.yaml(name):
            for task in tasks_of(play):
                if not allowed & set(task):
                    yield f"{name}: {task.get('name')} is work"


def licenses_are_stated(tree: Tree) -> Iterator[str]:
    for name in tree.glob("*.py", "*.sh", "Makefile"):
        lines = [line for line in tree.text(name).splitlines()[:5] if not line.startswith("#!")]
        if lines[:3] != LICENSE:
            yield f"{name}: does not begin with the license header"


def no_machine_is_named(tree: Tree) -> Iterator[str]:
    """Neither a folder of somebody's machine nor a registry's host: users have their own."""
    for name in tree.names:
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            found = MACHINES.search(line)
            if found:
                yield f"{name}:{number}: {found[0]}"


def dependencies_are_the_same_everywhere(tree: Tree) -> Iterator[str]:
    """galaxy.yml, requirements.yml and the collections that are used agree."""
    declared = tree.yaml("galaxy.yml")["dependencies"]
    listed = {entry["name"]: entry["version"] for entry in tree.yaml("requirements.yml")["collections"]}
    if declared != listed:
        yield f"requirements.yml has {listed}, galaxy.yml {declared}"
    used = re.compile(r"\b((?:amazon|community|ansible)\.(?!builtin|module_utils|plugins|errors|parsing|utils|legacy)[a-z_]+)\.[a-z_]+:")
    for name in tree.glob("roles/*.yml"):
        for collection in sorted(set(used.findall(tree.text(name))) - set(declared)):
            yield f"{name}: uses {collection}, which galaxy.yml does not name"


def commands_have_help(tree: Tree) -> Iterator[str]:
    text = tree.text("Makefile")
    for line in re.findall(r"^\.PHONY: (.*)$", text, re.M):
        for target in line.split():
            if not re.search(rf"^{re.escape(target)}:.*## \S", text, re.M):
                yield f"Makefile: {target} has no help"


RULES = (
    only_the_runner_touches_the_module,
    domains_know_no_ansible,
    the_core_knows_no_domain,
    imports_are_absolute,
    modules_are_documented,
    action_groups_are_the_modules_of_the_fragments,
    task_files_are_entry_points,
    defaults_are_the_specs,
    verbs_have_a_heading,
    verbs_are_tested,
    playbooks_contain_no_work,
    licenses_are_stated,
    no_machine_is_named,
    dependencies_are_the_same_everywhere,
    commands_have_help,
)
