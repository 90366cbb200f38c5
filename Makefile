# NeuraTrade: `make run` and `make test` work on a machine that has only Python 3.11 to 3.13 with pip, and make.
# They keep what they need in .venv, installed from requirements/*.txt by hash. `make help` lists everything.

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

BIN := .venv/bin
CODE := src tests tools $(if $(wildcard benchmarks/*.py),benchmarks)
ARGS ?=
WORKERS ?= auto
KILLS ?= 200
START ?= 1
SEEDS ?= 500
PLANS ?= 20

PYTEST := $(BIN)/python -m pytest
SPREAD := $(PYTEST) -n $(WORKERS) --dist worksteal

.PHONY: help run test check contract rehearse rehearse-soak format lint types rooms bench bench-backtest bench-peers crash sim mutants lock clean venv venv-dev

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

run: venv ## open the desk on the recorded markets (paper); ARGS="--speed max --json" goes to `neuratrade run`
	@$(BIN)/neuratrade run $(ARGS)

test: venv-dev ## run all tests on all cores (WORKERS=1: on one); ARGS="-k gate" goes to pytest
	@$(if $(ARGS),$(PYTEST) $(ARGS),$(SPREAD))

sim: venv-dev ## live SEEDS worlds full of faults from START on; TRACE=1 tells one, CRASH=all crashes everywhere
	@PYTHONPATH=src:. $(BIN)/python tools/sim.py --seeds $(SEEDS) --start $(START) \
		$(if $(TRACE),--trace) $(if $(CRASH),--crash-all)

check: lint types rooms ## all that must pass before a commit: format, lint, types, rooms, purity, tests, coverage
	@$(SPREAD) --cov --cov-report=term

format: venv-dev ## format the code and repair what lint can repair
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

lint: venv-dev ## check format, lint, and that core/ is pure
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/python tools/purity.py src/neuratrade/core

types: venv-dev ## check all types, strictly
	@$(BIN)/mypy $(CODE)

rooms: venv-dev ## check that each room imports only rooms below it
	@$(BIN)/lint-imports --no-logo

bench: venv-dev ## measure, compare and write benchmarks/results/latest.json
	@$(BIN)/python -m benchmarks $(ARGS)

bench-backtest: venv-dev ## our backtest beside plain loops and installed peers; ARGS="ours same" for parts of it
	@$(BIN)/python -m benchmarks.backtest $(ARGS)

bench-peers: venv-dev ## install the pinned peers under .peers (NEURATRADE_PEERS), then the same; minutes
	@$(BIN)/python -m benchmarks.backtest.install
	@$(BIN)/python -m benchmarks.backtest $(ARGS)

crash: venv-dev ## kill a trading desk KILLS times (seeds from START on), and drop what a disk may drop; minutes
	@$(BIN)/python -m tests.crash --kills $(KILLS) --start $(START) $(ARGS)

mutants: venv-dev ## break the core on purpose and count which breaks the tests notice; SEED=2 COUNT=100, ALL=1 for all
	@$(BIN)/python -m tools.mutants $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT)) $(if $(ALL),--all) $(ARGS)

contract: venv-dev ## hold simulators to unmodified clients, and adapters to the simulators
	@$(SPREAD) tests/contract

rehearse: venv-dev ## play PLANS plans of faults on every venue; ARGS="--venues kraken" goes to `neuratrade rehearse`
	@$(BIN)/neuratrade rehearse --plans $(PLANS) $(ARGS)

rehearse-soak: venv-dev ## a thousand plays
	@$(BIN)/neuratrade rehearse --plans 1000 $(ARGS)

lock: ## resolve requirements/*.txt anew, for all platforms, with hashes (needs uv)
	@sh tools/lock.sh

clean: ## remove .venv, caches and build output; never data
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	find src tests tools $(wildcard benchmarks) -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@sh tools/venv.sh .venv run editable

venv-dev:
	@sh tools/venv.sh .venv dev editable
