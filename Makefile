PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
DATA ?= .data
MINUTES ?= 10
JOBS ?= 3
DATABASE ?= sqlite
# The lock files name everything, so nothing has to be resolved; compiling takes all processors only afterwards.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile
COMPILE := $(BIN)/python -m compileall -qq -j 0 .venv/lib kms_server migrations
# A file's tests share servers, so they stay in one process, in the order of their names.
BY_FILE := --dist loadfile --no-loadscope-reorder
# What pytest makes of the tests is kept, whatever the environment says: it takes each process ten seconds.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help run test lint types fmt bench bench-policies bench-s3 bench-audit bench-limits bench-stages profile profile-memory soak mutation interop audit-dependencies openapi lock migrate clean

help: ## show this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## /\1\t/' | expand -t 16

run: .venv/.run ## set up and serve from nothing, strict mode, data in .data
	exec $(BIN)/kms-server serve --data-dir $(DATA)

test: .venv/.dev ## set up and pass the tests from nothing; DATABASE=postgresql: all servers have that
	$(BIN)/python -m compileall -qq kms_server migrations
	KMS_TEST_DATABASE=$(DATABASE) $(PYTEST) -n $(JOBS) $(BY_FILE) $(ARGS)

lint: .venv/.dev types ## style, types, import directions, documents that are derived
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --config setup.cfg
	$(BIN)/python -m kms_server.cli.openapi --check openapi.yaml

types: .venv/.dev ## mypy, strict
	$(BIN)/mypy

fmt: .venv/.dev ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/.dev ## measure everything beside its references, in twenty minutes; ARGS=--help says more
	$(BIN)/python -m bench.run $(ARGS)

bench-policies: .venv/.dev ## measure what large policies and many grants cost
	$(BIN)/python -m bench.policies $(ARGS)

bench-s3: .venv/.dev ## measure what encryption adds to transfers
	$(BIN)/python -m bench.transfers $(ARGS)

bench-audit: .venv/.dev ## measure pages of LookupEvents in a short and in a long audit log
	$(BIN)/python -m bench.audit_lookup $(ARGS)

bench-limits: .venv/.dev ## measure what the check of its limits costs a call
	$(BIN)/python -m bench.limits $(ARGS)

bench-stages: .venv/.dev ## measure what each step of a call costs, without sockets
	$(BIN)/python -m bench.stages $(ARGS)

profile: .venv/.dev ## where a live worker spends its time under load
	$(BIN)/python -m bench.profile_cpu $(ARGS)

profile-memory: .venv/.dev ## what a call allocates, and what it leaves
	$(BIN)/python -m bench.profile_memory $(ARGS)

soak: .venv/.dev ## three servers under faults for MINUTES, the long rounds at full rates, new random examples
	$(BIN)/python -m tests.soak --minutes $(MINUTES)
	KMS_TEST_CLI_ROUNDS=50 KMS_TEST_CRASH_ROUNDS=20 KMS_TEST_S3_ROUNDS=20 KMS_TEST_DELIVERY_ROUNDS=20 KMS_TEST_TRAIL_HOURS=72 KMS_TEST_SOAK=1 \
		$(BIN)/python -m pytest tests/soak tests/faults tests/functional/test_limits.py tests/functional/test_validate_logs.py $(ARGS)
	KMS_TEST_DATABASE=postgresql $(BIN)/python -m pytest -n 2 $(BY_FILE) tests/functional $(ARGS)
	KMS_TEST_SOAK=1 $(BIN)/python -m pytest -m soak tests/functional tests/unit tests/contract tests/conformance $(ARGS)
	$(BIN)/python -m pytest --hypothesis-profile soak -n 2 $(BY_FILE) tests/fuzz tests/unit $(ARGS)
	KMS_TEST_SOAK=1 $(BIN)/python -m pytest --hypothesis-profile soak --timeout 1800 -n 2 tests/contract/test_openapi_calls.py $(ARGS)
	$(BIN)/python -m tests.unit.iam.agreement 150000
	$(BIN)/python -m tests.fuzz.guided all 120

mutation: .venv/.dev ## whether the tests of crypto/ notice when one comparison is another
	$(BIN)/python -m tests.mutation

interop: .venv/.dev ## other people's clients: the first time installs them, which takes minutes
	$(BIN)/python -m pytest tests/interop --timeout 1800 $(ARGS)

audit-dependencies: .venv/.audit ## ask the package index whether known vulnerabilities are in what is locked
	@for lock in requirements.lock tests/requirements.lock; do echo "$$lock:"; \
		.venv/audit/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r $$lock \
		|| { echo "$$lock: vulnerable, or it could not be asked about all of it: see above"; exit 1; }; done

openapi: .venv/.dev ## write openapi.yaml anew
	$(BIN)/python -m kms_server.cli.openapi openapi.yaml

migrate: .venv/.run ## bring the schema of .data up to date
	$(BIN)/kms-server migrate --data-dir $(DATA)

lock: .venv/.dev ## choose the newest versions and write the lock files
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" --group pyproject.toml:build pyproject.toml -o requirements.lock --upgrade
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" --group pyproject.toml:build --group pyproject.toml:dev -c requirements.lock \
		pyproject.toml -o tests/requirements.lock --upgrade
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" tests/interop/requirements.txt -o tests/interop/requirements.lock --upgrade
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" tests/advisories/requirements.txt -o tests/advisories/requirements.lock --upgrade

clean: ## remove what the targets above made, but not the data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build tests/interop/.cache

.venv/.python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say PYTHON=/path/to/python3"; exit 2; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.run: .venv/.python requirements.lock pyproject.toml
	@echo "setting up .venv, about a minute the first time"
	$(PIP_INSTALL) --require-hashes -r requirements.lock
	$(PIP_INSTALL) --no-build-isolation -e .
	$(COMPILE)
	@touch $@

.venv/.dev: .venv/.python requirements.lock tests/requirements.lock pyproject.toml
	@echo "setting up .venv with the test tools, about two minutes the first time"
	$(PIP_INSTALL) --require-hashes -r tests/requirements.lock
	$(PIP_INSTALL) --no-build-isolation -e .
	$(COMPILE)
	@touch $@ .venv/.run

.venv/.audit: .venv/.dev tests/advisories/requirements.lock
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/advisories/requirements.lock
	@touch $@
