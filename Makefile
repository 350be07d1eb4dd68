# Every target that needs the virtual environment makes it. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CLIENTS := .venv-clients
VLLM := .venv-vllm
SOURCES := backtest cli config gatekeeper migrations proxy router serving simulator store wire conversion

.PHONY: help install demo run test test-browser screenshots docs chaos check lint format types imports bench-overhead bench-storage bench-gate bench-recognition bench-backtest bench-replacement bench-dashboard bench-equality clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || { python=$${PYTHON:-$$(tools/choose-python.sh)} && echo "making $(VENV) with $$python" && "$$python" -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

install: $(STAMP) ## make .venv with everything the other targets need

demo: $(STAMP) ## an agent's calls are learned and replaced, against a simulated LLM (five minutes)
	$(BIN)/understudy demo

demo-vllm: $(STAMP) $(VLLM)/.installed ## the same with generative understudies on a real vLLM (an hour, and half an hour more for the base the first time)
	$(BIN)/understudy demo --vllm --observed 2500 --patience 900

run: $(STAMP) ## serve the real thing on 127.0.0.1:8400 (OPENAI_API_KEY, understudy.yaml)
	$(BIN)/understudy serve

$(CLIENTS)/.installed: tests/e2e/clients/requirements.txt
	@test -x $(CLIENTS)/bin/python || "$${PYTHON:-$$(tools/choose-python.sh)}" -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(VLLM)/.installed: deploy/vllm/requirements-cpu.txt
	@tools/make-vllm-environment.sh $(VLLM) $<

.PHONY: vllm-if-possible
vllm-if-possible:
	@$(MAKE) --no-print-directory $(VLLM)/.installed || { \
		echo '#########################################################################'; \
		echo '## vLLM COULD NOT BE INSTALLED HERE: the tests that run it are SKIPPED. ##'; \
		echo '#########################################################################'; }

test: $(STAMP) $(CLIENTS)/.installed vllm-if-possible ## run the tests (agent frameworks and vLLM have environments of their own)
	$(BIN)/python -m pytest

chaos: $(STAMP) ## the full chaos runs: 50 kills, five minutes without a database (about 15 minutes)
	UNDERSTUDY_CHAOS=full $(BIN)/python -m pytest tests/chaos --timeout 1800

test-browser: $(STAMP) ## the dashboard's tests in a real Chromium (part of `make test` too)
	$(BIN)/python -m pytest tests/browser

screenshots: $(STAMP) ## pictures of the dashboard for the documentation
	UNDERSTUDY_SCREENSHOTS=docs/screenshots $(BIN)/python -m pytest tests/browser/test_pages.py

docs: $(STAMP) ## the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

check: lint types imports ## lint, types and import contracts

lint: $(STAMP) ## formatter and linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(STAMP) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy $(SOURCES) tests benchmarks

imports: $(STAMP) ## the layers of the packages
	$(BIN)/lint-imports --no-cache

bench-overhead: $(STAMP) ## speed and memory beside nginx, TensorZero, LiteLLM and Portkey; /stats on 10^3 and 10^6 calls (30 minutes)
	$(BIN)/python -m benchmarks.overhead

bench-storage: $(STAMP) ## bytes on disk and shipping speed on recorded calls
	$(BIN)/python -m benchmarks.storage

bench-gate: $(STAMP) ## what the gate's statistics promise, simulated beside simple baselines (a minute)
	$(BIN)/python -m benchmarks.gate

bench-recognition: $(STAMP) ## are recorded calls recognised, are unknown ones left alone, and at what cost (ten minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.recognition

bench-replacement: $(STAMP) ## how much a head replaces when traffic shifts, on CLINC150, whether it keeps its word, and what is certified on recorded agents (a quarter of an hour)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.replacement
	$(BIN)/python -m benchmarks.certified

bench-backtest: $(STAMP) ## how long other rules take over a million logged calls (half an hour, most of it to fill the log)
	$(BIN)/python -m benchmarks.backtest

bench-dashboard: $(STAMP) ## what the dashboard asks for, on 10^3 and 10^6 calls (ten minutes, most of it to fill the log)
	$(BIN)/python -m benchmarks.dashboard

bench-equality: $(STAMP) ## recorded calls through the proxy and direct, compared byte by byte (one minute)
	$(BIN)/python -m benchmarks.equality

clean: ## remove what the other targets made
	rm -rf $(VENV) $(CLIENTS) $(VLLM) .bench .demo .cache .mypy_cache .ruff_cache build *.egg-info
