# Everything a contributor runs. It installs what constraints.txt pins into .venv.
# Python: 3.10 to 3.13, chosen with `make PYTHON=python3.12 test`.

PYTHON ?= python3
# Another Python has its own: .venv-python3.12
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help

# Processes that `make test` runs tests in: they wait for half of their time.
WORKERS ?= 4

.PHONY: help demo test test-fast nightly matrix chaos lint format docs docs-serve dist bench bench-faults constraints clean

help: ## Show this help.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Run the example Dags on a local Airflow and a local ECS. No AWS needed.
	@$(BIN)/ecs-async demo $(ARGS)

test: $(INSTALLED) ## Run all tests.
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

test-fast: $(INSTALLED) ## Run the unit and property tests, in under two minutes.
	$(BIN)/python -m pytest -n $(WORKERS) tests/unit tests/property $(ARGS)

nightly: $(INSTALLED) ## Run the property tests with 10,000 examples each.
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest tests/property --timeout 7200 $(ARGS)

matrix: $(INSTALLED) ## Test the wheel with every supported Python, Airflow, provider and database (1-2 hours).
	$(BIN)/python -m tests.matrix $(ARGS)

chaos: $(INSTALLED) ## Kill the scheduler 30 times while 300 tasks run, and check that each runs exactly once.
	$(BIN)/python -m tests.chaos $(ARGS)

lint: $(INSTALLED) ## Check style, types, layers, the Dockerfiles and the shell scripts.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile examples/*/Dockerfile
	$(BIN)/shellcheck .ci/run ecs_async_executor/image/*.sh

format: $(INSTALLED) ## Format the code, and write the generated pages (failures, metrics, options).
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python docs/write_options.py
	$(BIN)/python docs/write_failures.py
	$(BIN)/python docs/write_metrics.py

dist: $(INSTALLED) ## Build the source distribution, and the wheel from it, into dist/.
	$(BIN)/uv build --out-dir dist .

docs: $(INSTALLED) ## Build the documentation as a site, into build/site. A broken link fails.
	$(BIN)/python -m zensical build --clean --strict

docs-serve: $(INSTALLED) ## Serve the documentation on http://localhost:8000, and again as you write.
	$(BIN)/python -m zensical serve

bench: $(INSTALLED) ## Run all benchmarks and update docs/performance.md (an hour and a half; ARGS=--quick: minutes).
	$(BIN)/python -m benchmarks $(ARGS)

bench-faults: $(INSTALLED) ## Run both executors through every fault of the local ECS (25 minutes).
	$(BIN)/python -m benchmarks.faults $(ARGS)

constraints: $(INSTALLED) ## Pin the newest versions that fit.
	$(BIN)/uv pip compile -q --universal --python-version 3.10 --extra dev --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --output-file constraints.txt --upgrade pyproject.toml

clean: ## Remove the .venv, builds and caches.
	rm -rf $(VENV) dist build .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# uv installs in seconds; where it can't be had, pip takes a minute or two.
$(INSTALLED): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv 2>/dev/null && \
		$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev]' || \
		$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
