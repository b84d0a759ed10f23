# Two commands: `make demo` and `make test`. What is already done is not done again.
SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory
# What one process has compiled, the hundreds that tests start need not, whatever the surroundings say.
export PYTHONDONTWRITEBYTECODE :=

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
# The stamp is named after what was installed: another pin, another stamp.
PINS      := $(shell cat pyproject.toml constraints.txt | sha256sum | cut -c1-16)
INSTALLED := $(VENV)/.installed-$(PINS)

.PHONY: help setup models demo test test-slow lint format docs site validate constraints lock check-lock notices sbom clean

help:  ## Say what can be made.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: $(INSTALLED)  ## Virtual environment with the pinned packages.

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 13) else \
	  f"warmline needs Python 3.11 or 3.12, found {sys.version.split()[0]}; try: make PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || { echo "==> creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "==> installing pinned packages (several minutes the first time)"
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[listen,bench,night,dask,sheets,encrypt,remote,web,validate,research,dev]'
	@# librosa compiles its loops when first imported and keeps them; two processes that do so at the
	@# same time can spoil what is kept.
	@$(BIN)/python -c 'import librosa.core, librosa.util; librosa.util.localmin'
	@rm -f $(VENV)/.installed-*
	@touch $@

models: $(INSTALLED)  ## Fetch and verify the models (about 350 MB, once per user).
	@$(BIN)/warmline models pull

demo: models  ## Analyze the sample calls into ./demo and show what was found.
	@$(BIN)/warmline demo

# Processes of the tests, each with models of its own: more than two cores, as some always wait for
# a browser, a night or a network that times out (four took 12 min 26 s, three 11 min 41 s). Each
# takes up to 2 GB.
TEST_PROCESSES ?= 3

# Threads that wait for work sleep: busy waiting would take the cores from the other processes. What
# is freed is kept: to get pages from the kernel anew for each array takes a twentieth of the time.
KEEP_FREED := MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=1073741824 \
  MALLOC_TOP_PAD_=16777216
test: models  ## Run the tests.
	OMP_NUM_THREADS=$$(( ($$(getconf _NPROCESSORS_ONLN) + 1) / 2 )) OMP_WAIT_POLICY=PASSIVE $(KEEP_FREED) \
	  $(BIN)/python -m pytest -m "not slow" --numprocesses $(TEST_PROCESSES) --dist worksteal

test-slow: models  ## Run the tests that take minutes.
	$(BIN)/python -m pytest -m slow

lint: $(INSTALLED)  ## Check style, format and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)  ## Put the code into the common format.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED)  ## Write docs/metrics.md from the definitions in the code.
	$(BIN)/python scripts/metrics_doc.py

site: $(INSTALLED)  ## Build the documentation into ./site; needs no network, neither here nor when read.
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "open site/index.html, or, to search it: $(BIN)/python -m http.server --directory site"

validate: models  ## Try the measures on labelled data and write validation/REPORT.md.
	$(BIN)/warmline validate

constraints: $(INSTALLED)  ## Resolve all dependencies anew and pin what was found.
	$(BIN)/python scripts/pin.py > constraints.new
	mv constraints.new constraints.txt

lock: $(INSTALLED)  ## Write constraints.lock: the digest of every file that is installed.
	$(BIN)/python scripts/lock.py

check-lock: $(INSTALLED)  ## Compare what would be installed today with constraints.lock.
	$(BIN)/python scripts/lock.py --check

notices: $(INSTALLED)  ## Write THIRD_PARTY.md from what the packages say of themselves.
	$(BIN)/python scripts/notices.py > THIRD_PARTY.md

sbom: $(INSTALLED)  ## Write sbom.cdx.json, a bill of materials (CycloneDX) of the environment.
	@test -x .venv-sbom/bin/cyclonedx-py || { $(PYTHON) -m venv .venv-sbom && \
	  .venv-sbom/bin/python -m pip install -q --disable-pip-version-check 'cyclonedx-bom>=7,<8'; }
	.venv-sbom/bin/cyclonedx-py environment --pyproject pyproject.toml -o sbom.cdx.json $(BIN)/python

clean:  ## Remove the environment and what a demo left.
	rm -rf $(VENV) .venv-sbom sbom.cdx.json demo dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
