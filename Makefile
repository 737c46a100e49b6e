# Everything a person types. `make` alone explains.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check format packages lock clean bench bench-audit bench-intake bench-list bench-rate bench-redrive bench-signature bench-diagnosis chaos simulate simulate-mixed simulate-mutants release-snapshot load storm drill drill-all bench-restore grown-groups tune tune-throughput tune-limits prove-on-aws

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(VENV)/.installed ## Install everything into .venv (done by the other targets)

$(VENV)/.installed: locks/project.txt pyproject.toml
	@$$(test -x $(BIN)/python && echo $(BIN)/python || echo $(PYTHON)) \
	  -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Python 3.11 to 3.13 is needed; remove .venv if there is one, and name one with: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q --compile-bytecode --require-hashes -r locks/project.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## Bring up both regions, lose one in mid-stream, and count every alert
	@$(BIN)/responder demo

# Tells the CPU time of all its processes; `make test` takes some 12 minutes of it.
TIMED := $(BIN)/python tests/cpu_time.py
PYTEST := $(TIMED) $(BIN)/python -m pytest -n 2

test: setup ## Run the tests, but for the slow ones: some 12 CPU minutes
	@$(PYTEST)

test-all: setup ## Run every test and all that is slow by nature: drills, mutants, 2,000 seeds, experiments (hours)
	@$(PYTEST) -m ''
	@$(MAKE) --no-print-directory simulate SEEDS=2000
	@$(MAKE) --no-print-directory simulate-mixed SEEDS=300
	@$(MAKE) --no-print-directory simulate-mutants
	@$(MAKE) --no-print-directory grown-groups
	@$(MAKE) --no-print-directory drill-all
	@$(MAKE) --no-print-directory chaos

check: setup ## Everything that must be green: format, lint, types, imports, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(PYTEST)

bench: setup ## What the handlers cost, beside a floor of the same run: each goal, or the ratios that miss
	@$(BIN)/python -m benchmarks.bench

bench-audit: setup ## Time and memory of the audit at a million alerts (ALERTS=n)
	@$(BIN)/python -m benchmarks.audit --alerts $(or $(ALERTS),1000000)

bench-intake: setup ## Have a group of 1,000 alerts accepted, at 20 ms a ledger call and reception's CPU (ALERTS=n)
	@$(BIN)/python -m benchmarks.intake --alerts $(or $(ALERTS),1000)

bench-list: setup ## Count what lists of alerts read of a ledger with 200,000, on a fresh local stack (ALERTS=n)
	@$(BIN)/python -m benchmarks.alert_list --alerts $(or $(ALERTS),200000)

bench-rate: setup ## Post to a fresh local stack at its stated rate, from its first second on (RATE=n)
	@$(BIN)/python -m benchmarks.rate $(if $(RATE),--per-s $(RATE))

bench-redrive: setup ## Stop a redrive of dead letters, run it again, and audit who was told (ALERTS=n, HOW=killed|killed-twice|interrupted|doubled|cut)
	@$(BIN)/python -m benchmarks.redrive --alerts $(or $(ALERTS),5000) --how $(or $(HOW),killed)

bench-signature: setup ## Score the error signature beside drain3, logfold and masks (LOGHUB_DIR=dir, STREAM=file, JSON=1)
	@$(BIN)/python -m benchmarks.signature $(if $(JSON),--json)

bench-diagnosis: setup ## Plant 20 faults, ten of them pairs drawn by SEED=n, and have each diagnosed (half an hour)
	@$(BIN)/python -m benchmarks.diagnosis $(if $(SEED),--seed $(SEED)) --report reports/diagnosis.json

PAYLOADS ?= tests/unit/handlers/fixtures
GROUPS ?= 50000
grown-groups: setup ## Groups grown from those in PAYLOADS=dir and mutated bodies of all: is any good alert lost? (GROUPS=n, SEED=n)
	@$(BIN)/python -m tests.grown_groups --payloads $(PAYLOADS) --groups $(GROUPS) --seed $(or $(SEED),1) --report reports/grown-groups.json

format: setup ## Format the code, and fix what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

packages: setup ## Build the Lambda packages for AWS (arm64) into build/packages
	@$(BIN)/responder packages

SEEDS ?= 10000
simulate: setup ## Run SEEDS=10000 seeds of the simulator under each consistency, on all cores
	@$(BIN)/python -m simulator --seeds $(SEEDS) --report reports/simulate.json

simulate-mixed: setup ## Run seeds (SEEDS=n) with the last release beside today's, each way
	@$(BIN)/python -m simulator --mixed --seeds $(SEEDS) --report reports/simulate-mixed.json

simulate-mutants: setup ## Plant each bug and show the seed that catches it
	@$(BIN)/python -m simulator mutants --report reports/simulate-mutants.json

clean: ## Remove what was built; a running local stack is left alone
	rm -rf build reports .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

release-snapshot: setup ## Archive this release's handlers, for later ones to be tested beside (at each release)
	@$(BIN)/python -m simulator.releases

LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
lock: ## Resolve the dependencies of pyproject.toml again, into locks/
	@mkdir -p locks
	$(LOCK) --group dev --extra load pyproject.toml -o locks/project.txt
	@for f in reception analysis distribution recovery; do \
	  $(LOCK) --group pyproject.toml:lambda-$$f -c locks/project.txt -o locks/lambda-$$f.txt; done

chaos: setup ## Run every chaos experiment, each on a stack of its own (half an hour)
	@$(BIN)/responder chaos run --all

load: setup ## Locust for a minute at a steady rate, from both regions' webhooks to Slack, held to its thresholds
	@$(BIN)/responder load steady

storm: setup ## 1,000 alerts a minute for 3 minutes into a Slack that takes one message a second
	@$(BIN)/responder load storm

tune: setup ## Find the best memory of each function on a local Lambda host, to reports/memory.html
	@$(BIN)/responder tune memory

tune-throughput: setup ## Find how much one region takes, what saturates, and what mappings buy, to reports/throughput.html
	@$(BIN)/responder tune throughput

tune-limits: setup ## Plant six limits of known rates and find each; the machine's own knee with its spread
	@$(BIN)/responder tune prove

prove-on-aws: setup ## What only AWS can settle, as a trial: here on the embedded AWS; on yours with ACCOUNT=id
	@$(BIN)/responder deploy prove $(if $(ACCOUNT),--on-aws --account $(ACCOUNT))

drill: setup ## Lose the primary region under load: fail over, restore, fail back, report to reports/drill.html
	@$(BIN)/responder dr drill

drill-all: setup ## Every drill, a rebuild from the backup bucket alone, and every planted fault (ten minutes)
	@$(BIN)/responder dr drill --all

bench-restore: setup ## Check and compare exports of a million items: time, memory, planted faults (ITEMS=n)
	@$(BIN)/python -m benchmarks.restore --items $(or $(ITEMS),1000000)
