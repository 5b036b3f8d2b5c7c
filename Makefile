# jcurve: the commands a person types. `make` alone prints this list.
.DEFAULT_GOAL := help
.PHONY: help setup demo serve test check bench bench-lake bench-commits bench-funnel bench-protocols oracle faults fuzz sdks spark screenshots readme lock clean

PYTHON ?= python3
BIN := .venv/bin
DATA ?= jcurve-data/default
PORT ?= 8123

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jcurve needs Python 3.11 or newer: make PYTHON=python3.12 setup")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

setup: .venv/ready ## Make .venv and install the locked dependencies

demo: setup ## A make-believe company through the front door, its funnel beside the planted truth (EXIT=1 stops after printing)
	$(BIN)/jcurve demo $(if $(EXIT),--exit) $(ARGS)

serve: setup ## Serve everything on PORT (8123) from the data folder DATA (jcurve-data/default)
	$(BIN)/jcurve up --data $(DATA) --port $(PORT)

test: setup ## Run the tests (those that need Node, Chromium or Java say so where these are missing)
	$(BIN)/python -m pytest $(ARGS)

check: setup ## Lint, format check and strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup ## Measure, as ratios against named baselines in the same run (ARGS=--write puts them into README.md)
	$(BIN)/python -m tests.bench $(ARGS)

bench-lake: setup ## Builds and repairs over a year of events, each against a plain scan (ARGS="--events 1000000,10000000 --write")
	$(BIN)/python -m tests.bench.lake $(ARGS)

bench-commits: setup ## 50,000 commits with tidy on: append, open and scan times must stay flat (ARGS="--commits 5000")
	$(BIN)/python -m tests.bench.commits $(ARGS)

bench-protocols: setup ## Every SDK's protocol through the door and the flush, beside Segment's (ARGS=--write)
	$(BIN)/python -m tests.bench.protocols $(ARGS)

bench-funnel: setup ## Funnels beside ClickHouse over the same events: time, memory, many at once (ARGS="--events 100000000 --write")
	$(BIN)/python -m tests.bench.funnel $(ARGS)

oracle: setup ## A million random streams through the matcher and the brute force
	JCURVE_TEST_ORACLE_STREAMS=1000000 $(BIN)/python -m pytest tests/funnels/test_differential.py $(ARGS)

faults: setup ## Kill collector and flush 200 times while an SDK sends; nothing acknowledged may be lost or be there twice
	JCURVE_TEST_KILLS=200 JCURVE_TEST_WEATHER_SEEDS=50 JCURVE_TEST_SDK_KILLS=10 $(BIN)/python -m pytest \
	  tests/ingest/test_faults.py tests/ingest/test_weather.py tests/api/test_workers.py tests/e2e/test_every_sdk.py $(ARGS)

fuzz: setup ## Damaged requests of every SDK family, and schemathesis on every route (EXAMPLES=2000 of each, other ones each time)
	JCURVE_TEST_FUZZ=$(or $(EXAMPLES),2000) $(BIN)/python -m pytest tests/ingest/test_fuzz.py tests/api/test_fuzz.py $(ARGS)

sdks: ## Install the JavaScript SDKs that the tests drive (needs Node and npm)
	npm ci --no-audit --no-fund --prefix tests/e2e/sdks

spark: setup ## Install pyspark and its Delta connector, with which a test reads the lake (needs Java 17 and Maven)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.lock
	mvn --quiet --batch-mode dependency:get -Dartifact=io.delta:delta-spark_4.1_2.13:4.2.0

screenshots: setup sdks ## Make the README's pictures again
	JCURVE_TEST_SCREENSHOT=1 $(BIN)/python -m pytest tests/web $(ARGS)

readme: setup ## Make the README's tables again from the code
	$(BIN)/python -m tests.readme

lock: ## Pin and hash the dependencies again (needs uv)
	uv pip compile pyproject.toml --extra dev --extra postgresql --universal --python-version 3.11 --generate-hashes \
	  --no-emit-find-links --no-emit-index-url --no-header --upgrade --quiet --output-file requirements.lock
	uv pip compile pyproject.toml --extra dev --extra postgresql --extra spark --universal --python-version 3.11 --generate-hashes \
	  --no-emit-find-links --no-emit-index-url --no-header --constraint requirements.lock --quiet --output-file requirements-spark.lock


clean: ## Remove what the other targets made (the environment, caches, node_modules; never data)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/e2e/sdks/node_modules
