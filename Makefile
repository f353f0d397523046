# Everything a developer runs. `make test` sets up what it needs; the tool itself needs only Python 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DIR ?=
RUN_TESTS := $(BIN)/python -m pytest

.PHONY: test check unit live seeds bench lint format setup clean

test: setup check live

setup: $(VENV)/ready
	@scripts/setup-packages

$(VENV)/ready: pyproject.toml scripts/setup-venv
	@PYTHON="$(PYTHON)" scripts/setup-venv $(VENV)
	@touch $@

# What needs no root, in under a minute.
check: $(VENV)/ready lint unit

lint:
	$(BIN)/ruff format --check pystap tests bench scripts
	$(BIN)/ruff check pystap tests bench scripts
	$(BIN)/mypy

unit:
	$(RUN_TESTS) tests/unit

# What runs on the live kernel, as root.
live: setup
	$(RUN_TESTS) tests/live -rs

# The same scenarios with script files from elsewhere: make seeds DIR=path/to/scripts
seeds: setup
	@test -n "$(DIR)" || { echo "make seeds DIR=folder-with-scripts" >&2; exit 2; }
	$(RUN_TESTS) tests/live/scenarios -rs --scripts-dir "$(DIR)"

bench: setup
	$(BIN)/python -m bench

format:
	$(BIN)/ruff format pystap tests bench scripts
	$(BIN)/ruff check --fix pystap tests bench scripts

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
