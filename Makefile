# Each target builds .venv by itself when it is missing or the lock is newer.
# WORKERS, SCALE, TARGETS, BUDGET and FLAGS go to `make reproduce`: make reproduce SCALE=paper WORKERS=4

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
SCALE ?= lite
TARGETS ?= dvc.yaml papers/proof/dvc.yaml '*:tabulate'
UV_VERSION := 0.13.9
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null \
	&& echo $$p && break; done)
# The stages call `python` and the flow calls `dvc`: both must be those of .venv.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

.PHONY: help setup demo reproduce test test-fast test-pipelines lint format bench servers lock

help:
	@echo "make demo       watermark real data, train a thief and an honest model, tell them apart"
	@echo "make test       run the tests;  make test-fast  without the tiny pipelines and the flows"
	@echo "make reproduce  remake the tables (SCALE=lite, WORKERS=2, BUDGET=9m)"
	@echo "make lint       style, types, and which floor may import which"
	@echo "make bench      speed and memory, with their bounds"
	@echo "make servers    verify models behind real KServe, MLflow and LitServe servers"
	@echo "make setup      only build .venv;  make lock  resolve requirements.lock anew"

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or 3.12 found: install one, or give PYTHON=path"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@echo "installing what requirements.lock names into $(VENV)"
	@$(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m flows.server # prepares Prefect's database, so that the first flow need not
	@touch $@

demo: $(READY)
	@$(BIN)/python -m flows.reproduce --scale lite --workers 2 \
		papers/thieves/dvc.yaml:demo-thief@fashion-mnist papers/thieves/dvc.yaml:demo-honest@fashion-mnist
	@$(BIN)/python -m tasks.prove fashion-mnist resnet18-crop usual 1

reproduce: $(READY)
	@$(BIN)/python -m flows.reproduce --scale $(SCALE) --workers $(WORKERS) \
		$(if $(BUDGET),--budget $(BUDGET)) $(FLAGS) $(TARGETS)

# Two at once: the flows and the papers' tiny pipelines wait for processes most of the time.
test: $(READY)
	@$(MAKE) --no-print-directory --jobs 2 --keep-going test-fast test-pipelines

test-pipelines: $(READY)
	@$(BIN)/python -m pytest tests/papers tests/flows

test-fast: $(READY)
	@$(BIN)/python -m pytest --ignore tests/papers --ignore tests/flows

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(READY)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY)
	@$(BIN)/python -m pytest -c benchmarks/pytest.ini benchmarks

servers: $(READY)
	@$(BIN)/python -m flows.reproduce --workers $(WORKERS) \
		papers/proof/dvc.yaml:train-second@fashion-mnist-resnet18-keyed2-12-50-1 \
		train@fashion-mnist-resnet18-1
	@$(BIN)/python -m servers.check

lock:
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --upgrade \
		--python-version 3.11 --all-extras pyproject.toml --output-file requirements.lock
