# `make` prints the targets. Each of them sets up what it needs and works alone on a fresh clone.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-header --universal --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fuzz format bench rivals kafka interop docs proto dashboards lock clean

help:  ## print these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(STAMP)  ## create the virtual environment from the locked, hashed requirements

$(STAMP): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Foreshock needs Python 3.11 or later; say which: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "setting up $(VENV): about a minute, once"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: $(STAMP)  ## a simulated shop on an embedded broker: eight faults found and judged (90 s)
	@$(BIN)/foreshock demo

test: $(STAMP)  ## all tests; with Java and Maven also those against a real Apache Kafka
	@$(BIN)/pytest -n auto --dist loadfile

check: $(STAMP)  ## what continuous integration runs: format, lint, types, architecture, tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

fuzz: $(STAMP)  ## fuzz every codec, half an hour in all; make fuzz SECONDS=120 for a shorter one
	@$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),1800)

format: $(STAMP)  ## format the code and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMP)  ## the benchmarks, quick form; python -m benchmarks --list names them
	@$(BIN)/python -m benchmarks pipeline --quick

rivals: $(STAMP)  ## the rivals' own environments, so that the benchmarks of pipelines and of templates can run them too
	@test -x .venv-rivals/bin/python || $(PYTHON) -m venv .venv-rivals
	@.venv-rivals/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/rivals.lock
	@test -x .venv-miners/bin/python || $(PYTHON) -m venv .venv-miners
	@.venv-miners/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/miners.lock

kafka: $(STAMP)  ## start a real Apache Kafka on this machine to play with (Java and Maven needed)
	@$(BIN)/python tests/integration/kafka_server.py

interop: $(STAMP)  ## real rsyslog, collectd, Prometheus and Collector feed a real Apache Kafka: what they sent is what is scored
	@$(BIN)/python tests/integration/interop/collector.py
	@$(BIN)/pytest -n 0 -m interop tests/integration/interop

docs: $(STAMP)  ## write docs/reference and configs/full.yaml from the code
	@$(BIN)/python docs/generate.py

proto: $(STAMP)  ## compile our .proto files
	@$(BIN)/python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. connectors/codecs/proto/*.proto

dashboards: $(STAMP)  ## write the Grafana dashboard from configs/grafana/generate.py
	@$(BIN)/python configs/grafana/generate.py

lock: $(STAMP)  ## resolve the requirements anew
	@$(COMPILE) --extra registry pyproject.toml -o requirements/run.lock
	@$(COMPILE) --group dev pyproject.toml -o requirements/dev.lock
	@$(COMPILE) --group rivals pyproject.toml -o requirements/rivals.lock
	@$(COMPILE) --group miners -o requirements/miners.lock

clean:  ## remove the virtual environment and every cache
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
