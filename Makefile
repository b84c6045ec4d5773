# Lantern. `make help` lists what you can do; every target sets up what it needs by itself.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PY := .venv/bin/python
export PYTHONPATH := shared:.
export PYTHONDONTWRITEBYTECODE := 1
STAGE ?= dev
PYTHON ?= $(shell command -v python3.11 || command -v python3)

.PHONY: help
help:  ## show this list
	@awk 'BEGIN{FS=":.*## "} /^[a-z][a-z-]*:.*## /{printf "  \033[1m%-14s\033[0m %s\n",$$1,$$2}' $(MAKEFILE_LIST)

.venv/.ready: requirements/bootstrap.txt requirements/dev.txt
	@echo "Setting up .venv (hash-pinned, about 10 seconds)"
	@$(PYTHON) -m venv .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@.venv/bin/uv pip install --quiet --python $(PY) --require-hashes -r requirements/dev.txt
	@touch $@

.venv-sam/.ready: .venv/.ready requirements/sam.txt
	@echo "Setting up .venv-sam (SAM CLI pins an older boto3)"
	@$(PYTHON) -m venv .venv-sam
	@.venv/bin/uv pip install --quiet --python .venv-sam/bin/python --require-hashes -r requirements/sam.txt
	@touch $@

.venv-calibrate/.ready: .venv/.ready requirements/calibrate.txt
	@echo "Setting up .venv-calibrate (scikit-learn; only make calibrate needs it)"
	@$(PYTHON) -m venv .venv-calibrate
	@.venv/bin/uv pip install --quiet --python .venv-calibrate/bin/python --require-hashes -r requirements/calibrate.txt
	@touch $@

.venv-bench/.ready: .venv/.ready requirements/bench.txt
	@echo "Setting up .venv-bench (Okta's and Microsoft's own clients, 300 MB; only make bench needs it)"
	@$(PYTHON) -m venv .venv-bench
	@.venv/bin/uv pip install --quiet --python .venv-bench/bin/python --require-hashes -r requirements/bench.txt
	@touch $@

.PHONY: setup
setup: .venv/.ready  ## make .venv from the hash-pinned requirements

.PHONY: requirements
requirements: .venv/.ready  ## compile requirements/*.txt from pyproject.toml (needs a package index)
	scripts/compile_requirements.sh

.PHONY: format
format: .venv/.ready  ## format and auto-fix the code
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

.PHONY: check
check: .venv/.ready .venv-sam/.ready  ## lint, types, import contracts, template, OpenAPI drift, security lint
	.venv/bin/ruff format --check --quiet .
	.venv/bin/ruff check --quiet .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/bandit --quiet --severity-level medium --configfile pyproject.toml --recursive shared functions scripts
	.venv/bin/cfn-lint template.yaml
	@SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-central-1 .venv-sam/bin/sam validate --lint --template template.yaml
	$(PY) scripts/openapi.py --check

.PHONY: test
test: .venv/.ready  ## every test that fits in CI; the deployed template on the local cloud comes last
	$(PY) -m pytest -n 2 --dist loadgroup
	$(PY) -m pytest -n 2 --dist loadgroup -m stack

.PHONY: test-fast
test-fast: .venv/.ready  ## the tests without a deployed template
	$(PY) -m pytest -n 2 --dist loadgroup

.PHONY: prove
prove: .venv/.ready  ## the long proofs: 10,000 runs, every crash, every product (an hour or more)
	$(PY) -m pytest -n 2 -m prove

.PHONY: bench
bench: .venv/.ready .venv-bench/.ready  ## measure fetch, pacing, units, memory, cost beside the providers' own clients
	$(PY) -m scripts.bench
	$(PY) -m scripts.bench.pacing

.PHONY: bench-catalog
bench-catalog: .venv/.ready  ## measure catalog look-ups and identification with 175,000 rows
	$(PY) -m scripts.bench.catalog

.PHONY: eval
eval: .venv/.ready  ## how well apps are identified: recall, false alarms, calibration, worst misses
	$(PY) -m scripts.eval

.PHONY: calibrate
calibrate: .venv-calibrate/.ready  ## learn weights and confidences from the catalog; writes content/calibration.json
	.venv-calibrate/bin/python -m scripts.calibrate

.PHONY: openapi
openapi: .venv/.ready  ## write openapi.json from the routes
	$(PY) scripts/openapi.py

.PHONY: up
up: .venv/.ready  ## start the local cloud, deploy template.yaml and six simulated providers
	@$(PY) -m scripts.local up

.PHONY: down
down: .venv/.ready  ## stop the local cloud and the simulators; its state stays in build/local
	@$(PY) -m scripts.local down

.PHONY: demo
demo: .venv/.ready  ## the whole story on a demo organisation: consent, findings, people asked, revoked, verified, evidence
	@$(PY) -m scripts.demo

.PHONY: build
build: .venv/.ready  ## make the arm64 python3.13 artifacts in build/aws
	$(PY) -m scripts.build.artifacts

.PHONY: deploy
deploy: .venv/.ready  ## ship to AWS: make deploy STAGE=prod (standard AWS credentials)
	$(PY) -m scripts.build.deploy --stage $(STAGE)

.PHONY: test-engine
test-engine: .venv/.ready  ## store contract tests on DynamoDB Local (Java)
	$(PY) -m scripts.local_cloud.dynamodb_local -- $(PY) -m pytest -m engine
