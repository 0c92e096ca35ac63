# What a person types. Everything runs in .venv; nothing is installed elsewhere.
PYTHON ?= python3
BIN := .venv/bin
DATA ?= ../shared/data

.PHONY: run demo setup test lint lock quality drill help

help:            ## show this list
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/'

run: setup       ## set everything up and start Wardwatch
	@$(BIN)/python -m bot run

demo: setup      ## watch the spring of 2020 go through the same pipeline, without internet
	@$(BIN)/python -m bot demo

setup: .venv/ready  ## prepare .venv with the pinned requirements

.venv/ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Wardwatch needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up .venv (about a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/dev: requirements-dev.txt .venv/ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

test: .venv/dev  ## run every test
	$(BIN)/python -m pytest

lint: .venv/dev  ## check style and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

drill: .venv/dev ## the long crash drill: kill -9 at random, a hundred times
	$(BIN)/python -m pytest -m slow

quality: .venv/dev  ## precision and recall of the rules on labelled advisories (DATA=folder)
	@$(BIN)/python -m bot.quality $(DATA)

lock: .venv/dev  ## compile the pinned requirements anew from pyproject.toml
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 pyproject.toml -o requirements.txt
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 pyproject.toml --group dev -o requirements-dev.txt
