# Everything a developer runs. The tool itself needs only Python 3.11; what its tests need, `setup` gets.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
DIR ?=
KERNEL ?= 6.12
CODE := pystap tests bench scripts
PYTEST := $(BIN)/python -m pytest
LIVE := tests/live tests/property

.PHONY: test check lint types unit live seeds guest guests demo bench format setup clean

# All of it: what needs no root, then this kernel as root, with the other kernels' guests running beside it.
test: setup check
	@scripts/guest-packages
	$(PYTEST) -q -rs $(LIVE) tests/guest

# What needs no root, in under a minute.
check: lint types unit

setup: $(VENV)/ready
	@scripts/setup-packages

$(VENV)/ready: pyproject.toml scripts/setup-venv
	@PYTHON="$(PYTHON)" scripts/setup-venv $(VENV)
	@touch $@

lint: $(VENV)/ready
	$(BIN)/ruff format --check --quiet $(CODE)
	$(BIN)/ruff check --quiet $(CODE)

types: $(VENV)/ready
	$(BIN)/mypy

unit: $(VENV)/ready
	$(PYTEST) -q -n auto tests/unit

# One after the other: these attach to the kernel that everybody shares.
live: setup
	$(PYTEST) -q -rs $(LIVE)

# The same scenarios with script files from elsewhere: make seeds DIR=path/to/scripts
seeds: setup
	@test -n "$(DIR)" || { echo "make seeds DIR=folder-with-scripts" >&2; exit 2; }
	@scripts/guest-packages
	$(PYTEST) -q -rs tests/live/scenarios tests/live/standins tests/live/cli/test_explain.py tests/guest --scripts-dir "$(DIR)"

# A command as root on another kernel, with the working tree: make guest KERNEL=6.12 CMD='python3 -m pystap doctor'
guest: export GUEST_COMMAND = $(value CMD)
guest:
	@scripts/guest-packages
	@python3 -m tests.guest "$(KERNEL)"

# What runs on other kernels: one boot for each.
guests: setup
	@scripts/guest-packages
	$(PYTEST) -q -rs tests/guest

# nettop, as root, over a little traffic of its own.
demo:
	@$(or $(PYTHON),python3) scripts/demo

bench: setup
	$(BIN)/python -m bench

format: $(VENV)/ready
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
