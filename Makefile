# Two commands: `make demo` and `make test`. PIP_ARGS passes options to pip, such as an index with
# CPU builds of torch. Needed by hand: Python 3.11 or newer with venv, make, a C++ compiler.
PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
SUPPLY := .venv-supply
LOCK := config/deploy/requirements.lock
IMAGE := build text offline workers service s3 remote databases
PEERS_ARGS ?= --config config/examples/online_retail.toml
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help env demo lint test faults mutants test-long peers supply lock clean

help:
	@echo "make demo       build the environment, publish a small grocery shop and show its lists"
	@echo "make test       ruff, mypy, import-linter and pytest; each row of the fault matrix is shown"
	@echo "make faults     run the tests of the fault matrix and write docs/faults.md"
	@echo "make mutants    remove guards, expect tests to fail, and write docs/guards.md"
	@echo "make test-long  the sweeps, long fits and soaks that make test leaves out"
	@echo "make peers      judge RecTools, LensKit and SASRec beside the recipe, in $(PEERS)"
	@echo "make supply     SBOM (CycloneDX), licences and known weaknesses of all packages, in build/"
	@echo "make lock       pin the packages of the image, but torch, by their hashes, in config/deploy"
	@echo "make env        the environment alone, in $(VENV)"

env: $(READY)

$(READY): pyproject.toml constraints.txt
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check $(PIP_ARGS) \
		--constraint constraints.txt --editable '.[all,dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/recommender demo

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	mkdir -p build
	rm -f build/faults.json
	$(BIN)/pytest -m "not long" --faults build/faults.json --numprocesses 2 --dist loadfile \
		--ignore tests/workers
	$(BIN)/pytest -m "not long" --faults build/faults.json tests/workers
	$(BIN)/python -m tests.support.fault_report --check build/faults.json

faults: $(READY)
	mkdir -p build
	rm -f build/faults.json
	$(BIN)/pytest -m "fault and not long" --faults build/faults.json --ignore tests/workers
	$(BIN)/pytest -m "fault and not long" --faults build/faults.json tests/workers
	$(BIN)/python -m tests.support.fault_report build/faults.json

mutants: $(READY)
	$(BIN)/python -m tests.mutants --page docs/guards.md

test-long: $(READY)
	$(BIN)/pytest -m long

$(PEERS)/.ready: benchmarks/peers/requirements.txt
	rm -rf $(PEERS)
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check $(PIP_ARGS) \
		--requirement benchmarks/peers/requirements.txt
	touch $(PEERS)/.ready

peers: $(READY) $(PEERS)/.ready
	$(BIN)/python -m benchmarks.peers --python $(PEERS)/bin/python $(PEERS_ARGS)

$(SUPPLY)/.ready:
	rm -rf $(SUPPLY)
	$(PYTHON) -m venv $(SUPPLY)
	$(SUPPLY)/bin/pip install --quiet --disable-pip-version-check $(PIP_ARGS) \
		cyclonedx-bom==7.5.0 pip-audit==2.10.1 pip-licenses==5.5.5 pip-tools==7.6.2
	touch $@

supply: $(READY) $(SUPPLY)/.ready
	bash .ci/supply $(BIN)/python $(SUPPLY)

# torch is left out: its CPU builds come from an index of their own.
lock: $(SUPPLY)/.ready
	$(SUPPLY)/bin/pip-compile --quiet --generate-hashes --strip-extras $(foreach extra,$(IMAGE),--extra $(extra)) \
		--no-header --no-annotate --no-emit-index-url --no-emit-trusted-host \
		--no-emit-find-links --no-emit-options --unsafe-package torch --unsafe-package recommender \
		--constraint constraints.txt --output-file $(LOCK) pyproject.toml
	sed -i '/^# /d; /^$$/d' $(LOCK)

clean:
	rm -rf $(VENV) $(PEERS) $(SUPPLY) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build *.egg-info
