# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

export PATH := $(CURDIR)/build/venv/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/build/collections
# Hundreds of Ansible processes start: compiled code saves each a second, and stays out of the tree.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
NOX := nox --non-interactive --no-venv --noxfile noxfile.py --session

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## Lists every command
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' Makefile

.PHONY: environment
environment: ## Makes build/venv and build/collections, which every other command needs
	@tests/bootstrap.sh

.PHONY: quickstart quickstart-check quickstart-down
quickstart: environment ## Runs the whole job here on real parts: provision, deploy, back up, restore, rotate, maintain
	@python tests/localcloud/quickstart.py up
quickstart-check: environment ## Says what quickstart would change, and changes nothing
	@python tests/localcloud/quickstart.py check
quickstart-down: environment ## Removes everything that quickstart made
	@python tests/localcloud/quickstart.py down

.PHONY: test test-full
test: environment ## Runs every test that fits into 35 minutes on 2 cores; prints the time of each part
	@$(NOX) test
test-full: environment ## Runs every test there is, the slow ones too
	@$(NOX) test_full

.PHONY: lint unit shape sanity importer docs integration molecule e2e removal
lint: environment ## Runs ansible-lint, yamllint, ruff, mypy and shellcheck
unit: environment ## Runs the unit tests (no network)
shape: environment ## Runs the tests of the architecture
sanity: environment ## Runs ansible-test sanity on a copy of what is published
importer: environment ## Builds the collection and imports it as Galaxy would
docs: environment ## Checks the documentation of plugins, modules and roles
integration: environment ## Runs the modules against the local cloud
molecule: environment ## Runs the roles on real hosts in the local cloud
e2e: environment ## Runs quickstart from nothing to nothing in a cloud of its own
removal: environment ## Shows that nothing is left when the last local cloud is down
lint unit shape sanity importer docs integration molecule e2e removal:
	@$(NOX) $@

.PHONY: bench
bench: environment ## Measures speed beside what people do today, on a machine that does nothing else
	@$(NOX) bench

.PHONY: load
load: environment ## Puts load on releases, for as long as the promises ask
	@$(NOX) load

.PHONY: faults
faults: environment ## Kills, cuts off and breaks everything in the middle of its work; make test does the short form
	@$(NOX) faults

.PHONY: figures
figures: environment ## Prints every promise that has a number, and the ones not measured yet
	@python tests/figures.py

.PHONY: lock
lock: environment ## Fixes the versions of all packages anew, after a change of requirements-dev.txt
	@uv --quiet pip compile --universal --python-version 3.12 --no-header --no-annotate --output-file tests/constraints.txt requirements-dev.txt

.PHONY: clean
clean: ## Removes build/ (after quickstart-down)
	@if [ -d build/localcloud/quickstart ]; then echo "The local cloud may be up: run make quickstart-down first." >&2; exit 1; fi
	rm -rf build
