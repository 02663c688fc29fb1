# Everything starts from a bare Python 3.11; `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Programs that tests start by the dozen, and tests with their rewritten asserts, are compiled once and not at every start.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup parts console console-packages console-check demo month test compiled test-unit lint types imports fmt bench bench-full faults bounded fuzz audit schema lock clean
help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): requirements-dev.lock pyproject.toml
	@echo "[setup] creating $(VENV) and installing pinned, hash-checked packages"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed")'
	$(PYTHON) -P -m venv $(VENV)
	@# Not compiled: of what is installed, a tenth is ever imported, and then it is compiled and kept.
	$(BIN)/python -P -m pip install --no-compile --disable-pip-version-check --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -P -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $(STAMP)

setup: $(STAMP) ## create .venv with the pinned dependencies

parts: $(STAMP) ## fetch what tests need and no package brings: Kafka (Java, Maven), Prometheus, Chromium, a terminal of others (cargo), Valhalla
	$(BIN)/python -m tools.parts

console: $(STAMP) ## build the console (console/, TypeScript) into src/api/console/built; brings its own Node
	$(BIN)/python -m tools.console --build

console-packages: $(STAMP) ## fetch what the console is built with (console/node_modules)
	$(BIN)/python -m tools.console --install

console-check: $(STAMP) ## types, lint, tests and sizes of the console, and that what is committed is what console/ gives
	$(BIN)/python -m tools.console --check

demo: $(STAMP) ## start everything and drive a demo fleet (TRACKS=... adds real tracks)
	$(BIN)/gongche up --demo $(if $(TRACKS),--tracks $(TRACKS)) $(DEMO_ARGS)

month: $(STAMP) ## a labelled month of 854 vehicles, judged and compared with its labels (SEED=1 VEHICLES=854)
	$(BIN)/gongche scenario --check --seed $(or $(SEED),1) --vehicles $(or $(VEHICLES),854) $(MONTH_ARGS)

test: $(STAMP) ## all tests, side by side (TEST_WORKERS=4), those of faults after them; without the parts some are skipped
	$(BIN)/python -m pytest tests --ignore=tests/faults -n $(or $(TEST_WORKERS),auto) --dist loadgroup --no-loadscope-reorder $(PYTEST_ARGS)
	@# Not beside the others: they look at what happens in time. They wait more than they compute, so two files at once.
	$(BIN)/python -m pytest tests/faults -n 2 --dist loadfile $(PYTEST_ARGS)

compiled: $(STAMP)
	@# By one process, before several do it at once.
	$(BIN)/python -m pytest tests --collect-only -qq >/dev/null

test-unit: $(STAMP) ## the unit tests alone, side by side (COVER=yes prints coverage)
	$(BIN)/python -m pytest tests/unit -n $(or $(TEST_WORKERS),logical) $(if $(COVER),--cov) $(PYTEST_ARGS)

lint: $(STAMP) ## ruff
	$(BIN)/ruff check src tests bench tools
	$(BIN)/ruff format --check src tests bench tools

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy

imports: $(STAMP) ## import-linter: data flows one way
	$(BIN)/lint-imports

fmt: $(STAMP) ## format and fix
	$(BIN)/ruff format src tests bench tools
	$(BIN)/ruff check --fix src tests bench tools

bench: $(STAMP) ## every benchmark once, in about ten minutes (needs a C compiler; Kafka parts: Java and Maven)
	$(BIN)/python -m bench $(or $(BENCH_ARGS),--runs 1 --seconds 2)

bench-full: $(STAMP) ## every benchmark five times, in about an hour; the figures of docs/performance.md
	$(BIN)/python -m bench $(or $(BENCH_ARGS),--runs 5 --seconds 5)

faults: $(STAMP) ## rounds of kill -9 under 10,000 positions/s with an exact audit (ROUNDS=25)
	$(BIN)/python -m tests.faults.rounds --rounds $(or $(ROUNDS),25) $(or $(FAULTS_ARGS),--terminals 500 --rate 10000)
	$(BIN)/python -m tests.faults.commands
	$(BIN)/python -m tests.faults.command_rounds

bounded: $(STAMP) ## dead log, dead database, slow writers, storms: memory, replies, accounts (BOUNDED_ARGS=...)
	$(BIN)/python -m tests.faults.bounded $(BOUNDED_ARGS)

fuzz: $(STAMP) ## gateway and worker under valid frames of odd content for an hour, with a canary each second (SECONDS=3600)
	$(BIN)/python -m tests.faults.fuzz --seconds $(or $(SECONDS),3600) $(FUZZ_ARGS)

audit: $(STAMP) ## known vulnerabilities in the locked dependencies
	$(BIN)/pip-audit --require-hashes -r requirements.lock

schema: $(STAMP) ## write migrations/schema.sql anew, after a new migration
	$(BIN)/python -m tools.schema

lock: ## re-resolve requirements*.lock from pyproject.toml (needs uv)
	uv pip compile --python-version 3.11 --universal --generate-hashes --no-header --no-emit-index-url --no-annotate pyproject.toml -o requirements.lock
	uv pip compile --python-version 3.11 --universal --generate-hashes --no-header --no-emit-index-url --no-annotate pyproject.toml --group dev -o requirements-dev.lock

clean: ## remove the environment, caches and the demo's data
	rm -rf $(VENV) .venv-3.13 .coverage* .gongche .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
