# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule holds for this tree, and turns red for a tree that breaks it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.shape import rules
from tests.shape.tree import Tree

ROOT = Path(__file__).resolve().parents[2]
Rule = Callable[[Tree], Iterator[str]]

GROUPS = "action_groups: {s3: [one]}"
MODULE = 'DOCUMENTATION = """\nmodule: one\nextends_documentation_fragment: groundcrew.ops.s3\n"""\n'
SPEC = "argument_specs: {main: {options: {web_port: {type: int, default: 80}}}}"
ROLE = {"roles/web/tasks/main.yml": "[]", "roles/web/meta/argument_specs.yml": SPEC, "roles/web/defaults/main.yml": "web_port: 80"}
SITE = "[{tasks: [{ansible.builtin.import_role: {name: groundcrew.ops.web}}]}]"
DOMAIN = "plugins/module_utils/_release/policy.py"
CORE = "from ansible_collections.groundcrew.ops.plugins.module_utils."

# A rule, the files of a small tree that breaks it, and words of the finding.
CONTROLS: list[tuple[Rule, dict[str, str], str]] = [
    (
        rules.only_the_runner_touches_the_module,
        {"plugins/modules/one.py": "module.exit_json()", rules.RUNNER: "module.fail_json()"},
        "plugins/modules/one.py:1: exit_json",
    ),
    (rules.only_the_runner_touches_the_module, {"plugins/modules/one.py": "", DOMAIN: "if x.check_mode: pass"}, "check_mode belongs to"),
    (rules.domains_know_no_ansible, {DOMAIN: "import os\nfrom ansible.module_utils import urls"}, "imports ansible.module_utils.urls"),
    (rules.domains_know_no_ansible, {DOMAIN: f"{CORE}_core import run"}, "_core.run"),
    (rules.the_core_knows_no_domain, {rules.RUNNER: f"{CORE}_release import policy"}, "the core imports"),
    (rules.imports_are_absolute, {"plugins/modules/one.py": "from ..module_utils import x", "tests/one.py": ""}, "relative import of module_utils.x"),
    (rules.modules_are_documented, {"plugins/modules/one.py": MODULE}, "no EXAMPLES"),
    (rules.modules_are_documented, {"plugins/modules/one.py": MODULE}, "check_mode is not documented"),
    (rules.modules_are_documented, {"plugins/modules/two.py": MODULE}, "documents one"),
    (rules.action_groups_are_the_modules_of_the_fragments, {"plugins/modules/two.py": MODULE, "meta/runtime.yml": GROUPS}, "should be ['two']"),
    (rules.action_groups_are_the_modules_of_the_fragments, {"plugins/modules/one.py": MODULE, "meta/runtime.yml": GROUPS}, "says membership []"),
    (rules.task_files_are_entry_points, {**ROLE, "roles/web/tasks/backup.yml": "[]"}, "backup.yml is not declared"),
    (rules.task_files_are_entry_points, {"roles/web/meta/argument_specs.yml": SPEC}, "there is no tasks/main.yml"),
    (rules.task_files_are_entry_points, {**ROLE, "roles/web/tasks/frobnicate.yml": "[]"}, "frobnicate is not a verb"),
    (rules.defaults_are_the_specs, {**ROLE, "roles/web/defaults/main.yml": "web_port: 81"}, "documents web_port=80"),
    (rules.defaults_are_the_specs, {**ROLE, "roles/web/defaults/main.yml": "{web_port: 80, web_name: x}"}, "no entry point declares web_name"),
    (rules.defaults_are_the_specs, {**ROLE, "roles/web/meta/argument_specs.yml": SPEC.replace("default: 80", "required: true")}, "which has a default"),
    (rules.defaults_are_the_specs, {**ROLE, "roles/web/meta/argument_specs.yml": SPEC.replace("web_port", "port")}, "does not begin with web_"),
    (rules.verbs_have_a_heading, {**ROLE, "roles/web/README.md": "# Role web\n### main\n"}, "no heading ## main"),
    (rules.verbs_are_tested, ROLE, "no test of main"),
    (rules.verbs_are_tested, {**ROLE, "tests/shape/verbs.yml": "web: {main: [molecule/web]}"}, "molecule/web is not there"),
    (rules.verbs_are_tested, {**ROLE, "tests/shape/verbs.yml": "web: {main: [a.py]}", "a.py": "nothing"}, "a.py does not run it"),
    (
        rules.verbs_are_tested,
        {**ROLE, "tests/shape/verbs.yml": "web: {main: [{a.py: playbooks/site.yml}]}", "a.py": "playbooks/site.yml", "playbooks/site.yml": "[]"},
        "does not run it",
    ),
    (
        rules.verbs_are_tested,
        {**ROLE, "tests/shape/verbs.yml": "web: {main: [{a.py: playbooks/site.yml}]}", "a.py": "nothing", "playbooks/site.yml": SITE},
        "does not run it",
    ),
    (rules.playbooks_contain_no_work, {"playbooks/site.yml": "[{tasks: [{name: Do it, ansible.builtin.shell: ls}]}]"}, "Do it is work"),
    (rules.playbooks_contain_no_work, {"playbooks/site.yml": "[{tasks: [{block: [], always: [{name: Do it, ansible.builtin.shell: ls}]}]}]"}, "Do it is work"),
    (rules.licenses_are_stated, {"one.py": "#!/usr/bin/python\nimport os\n", "Makefile": "", "a.sh": ""}, "one.py: does not begin"),
    (rules.no_machine_is_named, {"one.yml": "path: /" + "work/main/x"}, "one.yml:1"),
    (rules.no_machine_is_named, {"two.txt": "https://deb" + ".debian.org/debian"}, "two.txt:1"),
    (
        rules.dependencies_are_the_same_everywhere,
        {"galaxy.yml": "dependencies: {a.b: '1'}", "requirements.yml": "collections: [{name: a.b, version: '2'}]", "roles/web/tasks/main.yml": "[]"},
        "galaxy.yml {'a.b': '1'}",
    ),
    (
        rules.dependencies_are_the_same_everywhere,
        {"galaxy.yml": "dependencies: {}", "requirements.yml": "collections: []", "roles/web/tasks/main.yml": "- community.docker.docker_image:"},
        "uses community.docker",
    ),
    (rules.commands_have_help, {"Makefile": ".PHONY: one\none: two\n"}, "one has no help"),
]


@pytest.fixture(scope="module")
def checkout() -> Tree:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return Tree(ROOT, [name for name in listed.split("\0") if name and (ROOT / name).is_file()])


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_holds(checkout: Tree, rule: Rule) -> None:
    found = list(rule(checkout))
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize(("rule", "files", "words"), CONTROLS, ids=lambda value: getattr(value, "__name__", ""))
def test_turns_red(tmp_path: Path, rule: Rule, files: dict[str, str], words: str) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    found = list(rule(Tree(tmp_path, list(files))))
    assert any(words in finding for finding in found), found


def test_a_verb_is_found_behind_playbooks(tmp_path: Path) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks/site.yml").write_text("[{ansible.builtin.import_playbook: web.yml}]")
    (tmp_path / "playbooks/web.yml").write_text(SITE)
    (tmp_path / "a.py").write_text("playbooks/site.yml")
    assert rules.runs(Tree(tmp_path, ["a.py", "playbooks/site.yml", "playbooks/web.yml"]), {"a.py": "playbooks/site.yml"}, "web", "main")


def test_every_rule_has_a_control() -> None:
    assert {rule for rule, _files, _words in CONTROLS} == set(rules.RULES)


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="nothing matches"):
        Tree(tmp_path, ["a.py"]).glob("*.yml")
