# Everything a contributor or a CI job runs. `make` alone lists it.
# Needs python3 >= 3.11, git and make; the rest is installed into .venv from the lock files.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
JOBS ?= 2
# Passed on as they are: make test ARGS='tests/core -k order', make bench ARGS=graph, make fuzz ARGS=test_lake
ARGS ?=
# How long `make fuzz` fuzzes each reader
MINUTES ?= 1
# make lock LOCK=--upgrade moves every pin to the newest release
LOCK ?=

.PHONY: help setup setup-demo demo test lint format types check bench reliability fuzz schemas docs lock clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.stamp-dev ## make .venv with everything that tests and checks need

setup-demo: $(VENV)/.stamp-demo ## make .venv with what the tool and its emulator need

demo: setup-demo ## see the main job done against the embedded services
	@$(BIN)/reconciler demo $(ARGS)

test: setup ## run all tests
	@$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

lint: setup ## style, format, workflow files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/check-jsonschema -q --builtin-schema vendor.dependabot .github/dependabot.yml
	@shopt -s nullglob; flows=(.github/workflows/*.yml); \
	if (( $${#flows[@]} )); then \
	    $(BIN)/check-jsonschema -q --builtin-schema vendor.github-workflows "$${flows[@]}"; \
	    $(BIN)/zizmor --offline --no-progress --quiet --format plain .github; \
	fi

format: setup ## rewrite sources into the house format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: setup ## check types
	@$(BIN)/mypy

check: lint types test ## exactly what CI runs: lint, format, types, then tests

bench: setup ## measure speed, print a table, write build/bench.json
	@$(BIN)/python -m tests.benchmarks $(ARGS)

reliability: setup ## try every fault on every kind of request, write docs/reliability.md
	@$(BIN)/python -m tests.reliability $(ARGS)

fuzz: setup ## feed every reader with what others may have written, MINUTES (1) each, write build/fuzz.json
	@$(BIN)/python -m tests.fuzz --minutes $(MINUTES) $(ARGS)

schemas: setup ## write schemas/*.json from the models
	@$(BIN)/reconciler schema $(ARGS)

docs: setup ## check that documents point at what exists
	@$(BIN)/python -m pytest -q tests/architecture/test_documents.py

lock: setup ## write requirements*.txt anew from pyproject.toml (LOCK=--upgrade for newer releases)
	@$(BIN)/uv pip compile -q $(LOCK) $(LOCK_FLAGS) --extra emulator --extra lake --extra rules --extra build \
	    --output-file requirements.txt pyproject.toml
	@$(BIN)/uv pip compile -q $(LOCK) $(LOCK_FLAGS) --all-extras --constraint requirements.txt \
	    --output-file requirements-dev.txt pyproject.toml

clean: ## remove what builds and checks leave behind (.venv stays)
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find reconciler tests -name __pycache__ -type d -prune -exec rm -rf {} +

# One resolution for every platform and every Python from 3.11 on, with the hashes of all files,
# and nothing that says where they were fetched from.
LOCK_FLAGS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-emit-find-links --custom-compile-command 'make lock'

# --no-deps, as the lock is the whole resolution: pip would look up the newest release of what somebody
# requires with an extra (`pydantic[email]`), and refuse it as not pinned once there is a newer one.
$(VENV)/.stamp-demo: requirements.txt pyproject.toml
	@$(call make_venv)
	@echo "installing the tool into $(VENV) (once)"
	@$(PIP) install -q --no-deps --require-hashes -r requirements.txt
	@$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

# The development lock holds everything of the other one, so it serves the demo too.
$(VENV)/.stamp-dev: requirements-dev.txt requirements.txt pyproject.toml
	@$(call make_venv)
	@echo "installing the tool and what checks it into $(VENV) (once)"
	@$(PIP) install -q --no-deps --require-hashes -r requirements-dev.txt
	@$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $(VENV)/.stamp-demo $@

# Debian ships venv apart from Python; asking first gives a sentence instead of a half-made folder.
define make_venv
	command -v $(PYTHON) >/dev/null \
	    || { echo "reconciler needs Python 3.11 or newer, and '$(PYTHON)' was not found" >&2; exit 1; }; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "reconciler needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1 | cut -d' ' -f2);" \
	         "name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }; \
	$(BIN)/python -c 'import pip' 2>/dev/null && exit 0; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	    || { echo "$(PYTHON) cannot make virtual environments; on Debian or Ubuntu:" \
	         "sudo apt-get install python3-venv" >&2; exit 1; }; \
	$(PYTHON) -m venv --clear $(VENV)
endef
