# The one list of commands. `make help` prints it.
PYTHON ?= python3
UV_VERSION := 0.13.8

RUN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test check testbed cluster node scenarios differential bench docs examples golden lock new-rule new-strategy new-tool clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## install kubemend and its tools into .venv (needs Python 3.11+)

$(INSTALLED): requirements.lock pyproject.toml
	@test -x $(RUN)/python || $(PYTHON) -m venv .venv
	@test "$$($(RUN)/uv --version 2>/dev/null | cut -d ' ' -f 2)" = $(UV_VERSION) || \
		$(RUN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(RUN)/uv pip install --quiet --python $(RUN)/python --require-hashes --requirements requirements.lock
	@$(RUN)/uv pip install --quiet --python $(RUN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## break a practice cluster and watch it being mended
	@$(RUN)/kubemend demo

test: setup testbed ## run every test, two at a time (WORKERS=2)
	@$(RUN)/python -m pytest --numprocesses $(or $(WORKERS),2) --dist loadfile --no-loadscope-reorder

# Without Go the tests that need the real control plane are skipped, with the reason.
testbed: setup ## build the real control plane for tests (once; needs Go)
	@! command -v go >/dev/null || $(RUN)/python testbed/build.py >/dev/null

check: setup ## format, lint, types, import directions, generated pages
	@$(RUN)/ruff format --quiet --check .
	@$(RUN)/ruff check --quiet .
	@$(RUN)/mypy --no-error-summary -p kubemend -p testbed -p scripts
	@$(RUN)/lint-imports --no-logo --config pyproject.toml >.venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@$(RUN)/python docs/generate.py --check
	@! command -v go >/dev/null || (cd testbed && test -z "$$(gofmt -l . | tee /dev/stderr)" && \
		go vet ./internal/... && { told=$$(go test ./internal/...) || { echo "$$told"; exit 1; }; })

cluster: setup ## run a real control plane with node stand-ins until Ctrl-C (NODES=3)
	@$(RUN)/python -m testbed.cluster --nodes $(or $(NODES),3)

node: setup ## run a real control plane with a real kubelet and containerd until Ctrl-C (needs root on Debian)
	@$(RUN)/python -m testbed.node

scenarios: setup ## play every scenario, print what came of it (ON=practice,plane,node SEEDS=5 ONLY=name,name)
	@$(RUN)/python tests/scenarios.py --on $(or $(ON),practice) --seeds $(or $(SEEDS),1) --only "$(ONLY)" --at-once $(or $(AT_ONCE),0)

differential: setup ## ask the practice cluster and a real API server the same, print what differs
	@$(RUN)/python tests/differential/differential_run.py

bench: setup ## run every benchmark; each prints a table
	@set -e; for b in bench/bench_*.py; do $(RUN)/python $$b; done

docs: setup ## write the generated pages anew
	@$(RUN)/python docs/generate.py

examples: setup ## run each tool's example on a practice cluster, for the reference pages
	@$(RUN)/python scripts/examples.py

golden: setup ## write anew what clients of the tools build on; read the diff before you commit it
	@$(RUN)/python scripts/golden.py

lock: setup ## write requirements.lock anew from pyproject.toml
	@$(RUN)/uv pip compile --quiet --group dev --all-extras pyproject.toml --generate-hashes --universal --python-version 3.11 \
		--no-emit-index-url --no-header --output-file requirements.lock

new-rule: setup ## start a rule: make new-rule NAME=pod/disk-full [CODE=KM150]
	@$(RUN)/python scripts/new.py rule "$(NAME)" $(CODE)

new-strategy: setup ## start a strategy: make new-strategy NAME=free-disk CODE=KM150
	@$(RUN)/python scripts/new.py strategy "$(NAME)" $(CODE)

new-tool: setup ## start a tool: make new-tool NAME=resources/list_kubernetes_leases
	@$(RUN)/python scripts/new.py tool "$(NAME)"

clean: ## remove .venv and caches (built test bed programs stay in ~/.cache/kubemend)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
