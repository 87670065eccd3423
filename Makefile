# `make` lists what there is. CI runs the same targets (.ci/run).
#
# Everything happens in .venv, which is made on first use with a Python >= 3.12 found by
# .ci/find-python and brought up to date when pyproject.toml changes.
#   make test PYTHON=/path/to/python3.13    uses that one (a .venv of another is made anew)
#   make test VENV=.venvs/3.13              keeps a second environment
# Works with GNU make 3.81, which is what macOS has.

VENV ?= .venv
BIN := $(VENV)/bin
PIP_INSTALL := -m pip install -qq --disable-pip-version-check
INSTALL := $(BIN)/python $(PIP_INSTALL)
NEXT := .venvs/datasette-1.0

export PYTHON

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-next lint check wheel-test clients clients-quick bench clean FORCE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.runtime ## Record, replay and price a few exchanges, offline, in 30 s
	@$(BIN)/replayproxy demo

test: $(VENV)/.development ## Run all tests
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-next: $(NEXT)/.development ## Test the dashboard with the newest alpha of Datasette 1.0
	$(NEXT)/bin/python -m pytest --numprocesses auto --dist loadfile \
		tests/dashboards tests/end_to_end/test_dashboard_*.py

lint: $(VENV)/.development ## Check style, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

check: lint test ## lint and test: run it before you commit

wheel-test: $(VENV)/.development ## Build the package and test it in clean environments
	$(BIN)/python -m pytest tests/wheel

clients: $(VENV)/.development ## Try real clients, recorded and replayed (Linux; minutes)
	$(BIN)/python -m tests.clients --json build/clients/matrix.json

clients-quick: $(VENV)/.development ## The same with those that need little installing
	$(BIN)/python -m tests.clients --quick

bench: $(VENV)/.development ## Measure all that has a target, beside other tools (10 minutes)
	$(BIN)/python -m tests.benchmarks --json build/benchmarks/figures.json

clean: ## Remove the environment, builds and caches
	rm -rf $(VENV) $(NEXT) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache .coverage htmlcov

# Another Python was asked for than the environment has: make the environment anew.
ifneq ($(strip $(PYTHON)),)
SAME := import sys; print(sys.version)
ifneq ($(shell ("$(PYTHON)" -c '$(SAME)') 2>/dev/null),$(shell ($(BIN)/python -c '$(SAME)') 2>/dev/null))
$(BIN)/python: FORCE
endif
endif

$(BIN)/python:
	@python=$$(sh .ci/find-python) || exit 1; \
	echo "Making $(VENV) with $$python ..."; \
	"$$python" -m venv --clear $(VENV)

$(VENV)/.runtime: pyproject.toml $(BIN)/python
	@echo "Installing replayproxy and what it needs into $(VENV) (a minute the first time) ..."
	@$(INSTALL) --upgrade pip
	@$(INSTALL) --editable '.[all]'
	@touch $@

# pip knows dependency groups (--group) since 25.1; .runtime has upgraded it.
$(VENV)/.development: $(VENV)/.runtime
	@echo "Installing the development tools ..."
	@$(INSTALL) --editable '.[all]' --group dev
	@touch $@

# A specifier that names an alpha takes alphas.
$(NEXT)/.development: pyproject.toml $(BIN)/python
	@echo "Installing the newest alpha of Datasette 1.0 into $(NEXT) ..."
	@$(BIN)/python -m venv --clear $(NEXT)
	@$(NEXT)/bin/python $(PIP_INSTALL) --upgrade pip
	@$(NEXT)/bin/python $(PIP_INSTALL) 'datasette>=1.0a41,<2' \
		--editable '.[all]' --group dev
	@touch $@
