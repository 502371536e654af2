# The commands of this project; `make help` lists them.
SHELL := bash
VENV := .venv
CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help run test lint fmt docs bench fuzz build release ui browser screenshots tools redis chromium python node

help: ## List the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

UI_SOURCES := $(shell find ui/src ui/public -type f) $(wildcard docs/plugins/*.md ui/*.json ui/*.ts ui/index.html)

ui/node_modules/.package-lock.json: ui/package-lock.json
	cd ui && npm ci

ui/dist/index.html.gz: ui/node_modules/.package-lock.json $(UI_SOURCES)
	cd ui && npm run build

ui: ui/dist/index.html.gz ## Build the dashboard, which the binary then has in it

run: ui ## Build and start the gateway with the demo client on ./data
	$(CARGO) run --release --bin sluice -- serve --demo

build: ui ## Build the release binary: target/release/sluice
	$(CARGO) build --release --bin sluice

release: ui ## Build the fastest binary, by profile: two builds and a short bench
	bench/pgo

test: ui tools python node ## Install what the tests need and run them all
	$(CARGO) nextest run --workspace
	$(CARGO) test --workspace --doc
	$(MAKE) browser

browser: ui chromium ## Test the dashboard in a real browser against the debug binary
	$(CARGO) build --bin sluice
	cd ui && npm test

screenshots: ui chromium ## Make the pictures of all pages in docs/screenshots
	$(CARGO) build --bin sluice
	cd ui && npm run screenshots

lint: ui/node_modules/.package-lock.json ## Formatting, clippy, documentation, the dashboard's types and rules
	cd ui && npm run check
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

fmt: ## Format the tree
	$(CARGO) fmt --all

docs: ## Write the pages that are made from the code
	UPDATE_DOCS=1 $(CARGO) nextest run -p sluice --test docs the_page_is_what_the_registry_says
	UPDATE_DOCS=1 $(CARGO) nextest run -p sluice --test e2e the_translation_page_is_what_is_seen

bench: ## Measure the gateway beside nginx
	bench/run

# Tests run the same checks on bounded input. The stable compiler takes what libFuzzer needs by RUSTC_BOOTSTRAP.
FUZZ_SECONDS ?= 30
fuzz: ## Run every fuzz target for FUZZ_SECONDS (30)
	@command -v cargo-fuzz >/dev/null || $(CARGO) install cargo-fuzz --locked
	@for target in request answer stream wire view texts; do \
		RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --sanitizer none $$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -rss_limit_mb=2048 || exit 1; done

# nextest is a test runner from crates.io; a machine may have it already.
tools: redis
	@command -v cargo-nextest >/dev/null || $(CARGO) install cargo-nextest --locked

# Tests start Redis servers of their own.
redis:
	@command -v redis-server >/dev/null || { sudo=$$([ $$(id -u) = 0 ] || echo sudo); \
		$$sudo apt-get update && $$sudo apt-get install -y redis-server; }

# Debian's Chromium drives the dashboard's tests, unless CHROMIUM names another.
CHROMIUM ?= /usr/bin/chromium
chromium:
	@[ -x $(CHROMIUM) ] || { sudo=$$([ $$(id -u) = 0 ] || echo sudo); \
		$$sudo apt-get update && $$sudo apt-get install -y chromium; }

# The official SDKs that the end-to-end tests drive.
python: $(VENV)/.stamp
$(VENV)/.stamp: tests/python/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

node: tests/js/node_modules/.stamp
tests/js/node_modules/.stamp: tests/js/package.json tests/js/package-lock.json
	cd tests/js && npm ci --no-audit --no-fund
	touch $@
