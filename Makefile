# make alone lists the targets. Needs Rust, make and a C compiler; nothing else.

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
STORY ?= tests/scenarios/tour.txt
PAUSE ?= 430
SEED ?= 1
PORT ?= 4566

.DEFAULT_GOAL := help
.PHONY: help run test test-e2e check fmt clippy doc build story twice serve bench bench-calls

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## watch the real function hold two busy tasks through a deployment (15 seconds)
	@$(CARGO) build --quiet --workspace --bins
	@$(TARGET)/debug/ecs-sim play $(STORY) --bootstrap $(TARGET)/debug/bootstrap --pause $(PAUSE)
	@printf '\nWhat you saw was the real Lambda function, on a simulated ECS. Next:\n'
	@printf '  make run STORY=tests/scenarios/NAME.txt   another of the stories in tests/scenarios\n'
	@printf '  make serve                                talk to the simulated ECS with the AWS CLI\n'
	@printf '  README.md                                 deploy it beside your own service\n'

test: ## everything that needs no other server: rules, stories, contracts, promises, the real function on loopback
	$(CARGO) test --workspace --no-fail-fast

test-e2e: ## the ledger, and every story, on an emulated DynamoDB (minutes; needs Python 3, and the network the first time)
	tests/e2e/with-dynamodb $(CARGO) test --no-fail-fast --test conformance --test e2e -- --ignored

check: fmt clippy doc test ## what must hold before a commit: format, lints, docs, tests

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --quiet

build: ## the function as it is deployed: target/release/bootstrap (minutes)
	$(CARGO) build --release --bin bootstrap
	@ls -l $(TARGET)/release/bootstrap | awk '{printf "%.1f MB\n", $$5 / 1e6}'

story: ## run the stories in process and show what happens: make story STORY=tests/scenarios/NAME.txt
	@$(CARGO) run --quiet -p ecs-sim -- story $(STORY)

twice: ## run a random story twice and compare: make twice SEED=7
	@$(CARGO) run --quiet -p ecs-sim -- twice --seed $(SEED)

serve: ## serve the simulated ECS, SQS, SNS and Application Auto Scaling on loopback for the AWS CLI and SDKs: make serve PORT=4566
	@$(CARGO) run --quiet -p ecs-sim -- serve --port $(PORT)

bench-calls: ## count the calls to ECS per message, and the looks, the reads and the time that a watch takes
	@$(CARGO) test --quiet --test figures -- --nocapture --test-threads 1
	@$(CARGO) test --quiet --test watch -- --nocapture --test-threads 1 chain reads time_to_alert

bench: ## measure a batch of 10,000 messages in a release build (first build: minutes)
	$(CARGO) bench --bench plan
