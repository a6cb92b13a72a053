# Everything from a fresh machine with Python 3.11 or newer, git and make.
#
#   make demo    environment, install, and the main job from raw data to a watched endpoint
#   make test    environment, install with the test extra, browser and Postgres where the machine
#                can have them, then the whole suite
#
# Each target may be run again; what is done already costs nothing.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

# Compiled bytecode halves every start of the command line.
unexport PYTHONDONTWRITEBYTECODE
# The environment below is meant, whichever one is active.
unexport VIRTUAL_ENV
unexport PYTHONPATH
unexport PYTHONHOME

VENV ?= .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.done
UV := $(BIN)/uv
# Every package is what the lock says, checked by its hash.
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode
LOCK := $(UV) pip compile --quiet --universal --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --python-version 3.11 $(UPGRADE)
# The first Python that is new enough; PYTHON=... chooses another.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$name; break; }; done)
# Arguments for the demo, for pytest and for the benchmarks: make demo ARGS="--json summary.json"
ARGS ?=
WORKERS ?= 2
# The tests' random order: one for everybody, so that what fails can be had again. ORDER=7 is another.
ORDER ?= 492463580

.PHONY: help
help:
	@echo "make demo     install, and run the whole loop once      (ARGS=... go to athanor demo)"
	@echo "make test     install with the test extra, and run every check and test"
	@echo "make lint     format, lint, types, contracts between rooms"
	@echo "make unit     pytest alone                              (ARGS=tests/data)"
	@echo "make peers    the environment of MLflow, which the tests compare with (NAMES=\"feast dvc ...\""
	@echo "              or NAMES=all: those of other products too)"
	@echo "make soak     the tests that count to the full"
	@echo "make bench    the promised figures, measured"
	@echo "make studio   build the web page into the package"
	@echo "make lock     lock again after a change of dependencies (UPGRADE=--upgrade for newer)"
	@echo "make resolve  the lock is that of pyproject.toml, with a wheel for every supported Python"
	@echo "make clean    remove what was built, the environment included"

# --- environment -------------------------------------------------------------------------------

$(DONE)/bootstrap: requirements/bootstrap.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo "Athanor needs Python 3.11 or newer; none was found. Name one: make PYTHON=/path/to/python3"; \
		exit 1; fi
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@mkdir -p $(DONE)
	@echo "Preparing the environment in $(VENV)."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(DONE)/default: requirements/default.txt requirements/build.txt $(DONE)/bootstrap
	@echo "Installing the locked packages."
	@$(INSTALL) -r requirements/default.txt -r requirements/build.txt
	@touch $@

$(DONE)/test: requirements/test.txt $(DONE)/default
	@echo "Installing what the tests need."
	@$(INSTALL) -r requirements/test.txt
	@touch $@

$(DONE)/dev: requirements/dev.txt $(DONE)/test
	@$(INSTALL) -r requirements/dev.txt
	@touch $@

# The package itself, from this folder: a change of the source needs no new install. The studio
# has a target of its own.
$(DONE)/athanor: pyproject.toml hatch_build.py $(DONE)/default
	@ATHANOR_BUILD_STUDIO=0 $(UV) pip install --quiet --python $(BIN)/python --no-deps \
		--no-build-isolation --editable .
	@touch $@

# Another product beside ours, never in our environment.
PEERS ?= .venvs
$(DONE)/peers: requirements/peers.txt $(DONE)/bootstrap
	@echo "Installing MLflow into $(PEERS)/mlflow."
	@test -x $(PEERS)/mlflow/bin/python || $(UV) venv --quiet --python $(BIN)/python $(PEERS)/mlflow
	@$(UV) pip install --quiet --python $(PEERS)/mlflow/bin/python --require-hashes -r $<
	@touch $@

# An object store for the tests, apart for what it needs.
$(DONE)/s3: requirements/s3.txt $(DONE)/bootstrap
	@test -x $(PEERS)/s3/bin/python || $(UV) venv --quiet --python $(BIN)/python $(PEERS)/s3
	@$(UV) pip install --quiet --python $(PEERS)/s3/bin/python --require-hashes -r $<
	@touch $@

.PHONY: install install-test dev peers
install: $(DONE)/athanor
install-test: $(DONE)/athanor $(DONE)/test $(DONE)/s3
peers: $(DONE)/peers
	@if [ -n "$(NAMES)" ]; then $(BIN)/python benchmarks/peers/environments.py $(NAMES); fi
dev: install-test $(DONE)/dev
	@$(BIN)/pre-commit install

# --- the main job ------------------------------------------------------------------------------

.PHONY: demo
demo: install
	@$(BIN)/python web/build.py \
		|| echo "The studio could not be built (reason above); the demo goes on without its page."
	@$(BIN)/athanor demo $(ARGS)

.PHONY: studio
studio: $(DONE)/default
	@$(BIN)/python web/build.py

# --- checks ------------------------------------------------------------------------------------

.PHONY: test
test: install-test machine lint resolve studio studio-check unit

.PHONY: machine
machine:
	@sh .ci/prepare-machine

.PHONY: lint
lint: install-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: studio-check
studio-check: studio
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm run --silent check

.PHONY: unit
unit: install-test
	@# A file's tests stay in one process: they share servers that are dear to start.
	@# tests/conftest.py says which come first.
	@# What fails beside others is tried once more, alone: a fault fails again, a busy machine passes.
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder \
			--randomly-seed $(ORDER) $(ARGS) \
		|| $(BIN)/pytest --last-failed --last-failed-no-failures none --maxfail 1 \
			--randomly-seed $(ORDER) --verbose $(ARGS)

.PHONY: soak
soak: install-test machine
	$(BIN)/pytest -m soak --timeout 1800 $(ARGS)

.PHONY: bench
bench: install-test studio
	@$(BIN)/python benchmarks/run.py $(ARGS)

.PHONY: resolve
resolve: $(DONE)/bootstrap
	@rm -rf $(DONE)/lock && cp -R requirements $(DONE)/lock
	@$(LOCK) pyproject.toml --output-file $(DONE)/lock/default.txt
	@$(LOCK) pyproject.toml --extra test --constraints requirements/default.txt \
		--output-file $(DONE)/lock/test.txt
	@diff -r requirements $(DONE)/lock >/dev/null \
		|| { echo "The lock is older than pyproject.toml. Run: make lock"; exit 1; }
	@for version in 3.11 3.12 3.13 3.14; do \
		echo "The lock on Python $$version"; \
		$(UV) pip install --quiet --dry-run --python $(BIN)/python --python-version $$version \
			--target $(DONE)/nowhere --only-binary :all: --require-hashes \
			-r requirements/default.txt || exit 1; \
	done

# --- upkeep ------------------------------------------------------------------------------------

.PHONY: lock
lock: $(DONE)/bootstrap
	@mkdir -p requirements
	$(LOCK) pyproject.toml --output-file requirements/default.txt
	$(LOCK) pyproject.toml --extra test --constraints requirements/default.txt \
		--output-file requirements/test.txt
	$(LOCK) --group bootstrap --constraints requirements/default.txt \
		--output-file requirements/bootstrap.txt
	$(LOCK) --group build --constraints requirements/test.txt --output-file requirements/build.txt
	$(LOCK) --group peers --output-file requirements/peers.txt
	$(LOCK) --group s3 --output-file requirements/s3.txt
	$(LOCK) --group dev --constraints requirements/test.txt --output-file requirements/dev.txt

.PHONY: clean
clean:
	rm -rf $(VENV) build dist node_modules web/dist web/node_modules clients/node/node_modules
	rm -rf src/athanor/app/studio .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
