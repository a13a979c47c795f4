# make alone lists the targets. Needs Rust, make and a C compiler; what needs more says so.

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
SCENARIO ?= tests/scenarios/tour.txt
PAUSE ?= 430
SEED ?= 1
THREADS ?= 1
PORT ?= 4566
# Of fuzzing, as is TARGET where it stands in the command.
SECONDS = 30
# Of fuzzing, which without it has no end but SECONDS, and of sim.
RUNS =
EVENT ?= events/command-status.json
# Of deploy: the stack, parameters that it does not ask for (NAME=VALUE …), and `no` to ask nothing and confirm nothing.
STACK ?= taskhold
PARAMETERS =
CONFIRM =
ARCH ?= $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)
RUST_TARGET := $(if $(filter arm64,$(ARCH)),aarch64,x86_64)-unknown-linux-gnu
# SAM looks for cargo-lambda on the path. It would tell AWS of each use.
IN_SAM_TOOLS = PATH="$$(tests/tools/venv sam)/bin:$$PATH" SAM_CLI_TELEMETRY=0

# As `make test` builds them, to which it adds nothing: a build of the programs alone has other features of what they depend on, and
# so begins with the SDK.
PROGRAMS_OF_TESTS = $(CARGO) test --quiet --workspace --no-run

.DEFAULT_GOAL := help
.PHONY: help run test test-e2e test-clients test-sam test-deploy test-terraform check fmt clippy doc build deploy invoke validate scenario twice sim soak serve bench bench-plan bench-growth bench-calls budgets fuzz prove prove-long mutants deny

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## watch the real function hold two busy tasks through a deployment (15 seconds)
	@test -x $(TARGET)/debug/ecs-sim || echo 'Building the function and a simulated ECS, which takes minutes the first time.'
	@$(CARGO) build $(if $(wildcard $(TARGET)/debug/ecs-sim),--quiet) --workspace --bins
	@$(TARGET)/debug/ecs-sim play $(SCENARIO) --bootstrap $(TARGET)/debug/bootstrap --pause $(PAUSE)
	@printf '\nWhat you saw was the real Lambda function, on a simulated ECS. Next:\n'
	@printf '  make run SCENARIO=tests/scenarios/NAME.txt   another of the scenarios in tests/scenarios\n'
	@printf '  make serve                                talk to the simulated ECS with the AWS CLI\n'
	@printf '  README.md                                 deploy it beside your own service\n'

test: ## everything that needs no other server: rules, scenarios, contracts, promises, the real function on loopback
	$(CARGO) test --workspace --no-fail-fast

# TASKHOLD_BOOTSTRAP names another build of the function, such as target/debug/bootstrap, which is quicker to make.
test-e2e: $(if $(TASKHOLD_BOOTSTRAP),,build) ## the built function under AWS's own emulator, on emulated AWS; the state store, and every scenario, in DynamoDB (5 to 8 minutes; needs Python 3, and the network the first time)
	$(PROGRAMS_OF_TESTS)
	CARGO="$(CARGO)" tests/e2e/run --seed $(SEED)

test-clients: ## boto3 and the AWS CLI at the simulated ECS, and moto at the rules of template.yaml (1 to 2 minutes; needs Python 3, and the network the first time)
	$(PROGRAMS_OF_TESTS)
	venv="$$(tests/tools/venv emulators)" && PYTHONDONTWRITEBYTECODE=1 "$$venv/bin/python" -m pytest --quiet \
		-p no:cacheprovider tests/clients --ecs-sim $(TARGET)/debug/ecs-sim

check: fmt clippy doc test ## what must hold before a commit: format, lints, docs, tests

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --quiet

build: ## the function as it is deployed, for SAM and for Terraform (minutes; needs Python 3, and the network the first time): make build ARCH=arm64
	@case $(ARCH) in x86_64 | arm64) ;; *) echo "ARCH is x86_64 or arm64, not \`$(ARCH)\`" >&2; exit 1 ;; esac
	@ls "$$(rustc --print target-libdir --target $(RUST_TARGET))" >/dev/null 2>&1 \
		|| { echo "Rust cannot build for $(ARCH) yet: rustup target add $(RUST_TARGET)" >&2; exit 1; }
	$(IN_SAM_TOOLS) sam build --parameter-overrides Architecture=$(ARCH)
	@tests/sam/fits_lambda.py $(TARGET)/lambda/bootstrap/bootstrap $(ARCH)
	@terraform/package $(TARGET)/lambda/bootstrap/bootstrap $(TARGET)/lambda/bootstrap.zip

# With ARCH given the stack changes to it; without it, a stack keeps its own and a new stack gets this machine's.
# Not $(MAKE) in the recipe itself: `make -n deploy` would deploy.
BUILD_FOR_DEPLOY = $(MAKE) --no-print-directory build
DEPLOY = $(IN_SAM_TOOLS) scripts/deploy --stack "$(STACK)" $(if $(filter no,$(CONFIRM)),--no-confirm)
CHANGES = $(PARAMETERS) $(if $(filter-out file,$(origin ARCH)),Architecture=$(ARCH))

deploy: ## build and deploy a stack with SAM; Enter keeps the parameters that the stack has: make deploy STACK=taskhold-video
	@arch="$$($(DEPLOY) --architecture $(CHANGES))" && arch="$${arch:-$(ARCH)}" \
		&& $(BUILD_FOR_DEPLOY) ARCH="$$arch" \
		&& $(DEPLOY) $(CHANGES) Architecture="$$arch"

invoke: ## what the built function makes of a payload, in SAM's container, on a simulated ECS (needs Docker): make invoke EVENT=events/sweep.json
	@test -f .aws-sam/build/Function/bootstrap || $(MAKE) build
	@$(CARGO) build --quiet -p ecs-sim
	@$(IN_SAM_TOOLS) tests/sam/invoke $(EVENT) $(ENDPOINT)

validate: ## the template, as SAM and CloudFormation's linter see it, and what `make deploy` makes of it (2 minutes; needs Python 3, and the network the first time)
	$(IN_SAM_TOOLS) sam validate --lint --region eu-west-1
	$(IN_SAM_TOOLS) cfn-lint template.yaml
	$(MAKE) --no-print-directory test-deploy

test-sam: build ## the built function in SAM's container, on every payload of events/ (minutes; needs Docker)
	$(PROGRAMS_OF_TESTS)
	tests/sam/run

test-deploy: ## make deploy with the real SAM CLI on an emulated CloudFormation: a second deployment keeps a stack's parameters (a minute; needs Python 3, and the network the first time)
	tests/tools/venv sam >/dev/null
	venv="$$(tests/tools/venv emulators)" && PYTHONDONTWRITEBYTECODE=1 "$$venv/bin/python" -m pytest --quiet \
		-p no:cacheprovider --disable-warnings --numprocesses 2 tests/deploy

test-terraform: ## Terraform validates its module and applies it to an emulated AWS (minutes; needs Terraform and its AWS provider)
	tests/terraform/run

scenario: ## run the scenarios in process and show what happens: make scenario SCENARIO=tests/scenarios/NAME.txt
	@$(CARGO) run --quiet -p ecs-sim -- scenario $(SCENARIO)

twice: ## run a random scenario twice and compare: make twice SEED=7
	@$(CARGO) run --quiet -p ecs-sim -- twice --seed $(SEED)

sim: ## run the whole function under faults from seeds, and check what it promises: make sim SEED=1 RUNS=1000 THREADS=2 (the first build: minutes)
	@$(CARGO) run --quiet --profile soak -p ecs-sim -- sim --seed $(SEED) --runs $(or $(RUNS),1000) --threads $(THREADS)

soak: ## 30 simulated days of 500 services and 5,000 tasks, with faults: nothing may stay open, nothing may grow (minutes; the first build: minutes more): make soak SEED=1
	SOAK_SEED=$(SEED) $(CARGO) test --quiet --profile soak --no-default-features --test soak -- --ignored --nocapture

serve: ## serve the simulated ECS, SQS, SNS and Application Auto Scaling on loopback for the AWS CLI and SDKs: make serve PORT=4566
	@$(CARGO) run --quiet -p ecs-sim -- serve --port $(PORT)

bench-calls: ## count the calls to ECS per message, and the looks, the reads and the time that a watch takes
	@$(CARGO) test --quiet --test figures -- --nocapture --test-threads 1
	@$(CARGO) test --quiet --test watch -- --nocapture --test-threads 1 chain reads time_to_alert

bench: ## measure the function as a process, beside functions in Rust and Python: make bench RUNS=20 (half an hour; needs Linux and Python 3, and the network the first time)
	@benches/lambda/run --runs $(or $(RUNS),20)

bench-plan: ## measure a batch of 10,000 messages in process (first build: minutes)
	$(CARGO) bench --no-default-features --bench plan

bench-growth: ## measure how an invocation grows with tasks, jobs and entries, in process (first build: minutes)
	$(CARGO) bench --quiet --no-default-features --bench growth

budgets: ## hold what a message costs to docs/performance.md: allocations, calls, instructions (need valgrind), size (after make build)
	$(CARGO) test --quiet --test budgets -- --nocapture --test-threads 1
	CARGO="$(CARGO)" benches/lambda/budgets

fuzz: ## fuzz all that is read, on stable Rust: make fuzz SECONDS=30 TARGET=all, for a night RUNS=10000000 (needs a C++ compiler)
	@fuzz/run --target $(if $(filter command,$(firstword $(origin TARGET))),$(TARGET),all) --seconds $(SECONDS) --runs "$(RUNS)"

prove: ## all that looks for broken promises, for some minutes: every order of steps, drawn runs under faults, fuzzing
	$(CARGO) test --test model --test invariants --test properties --test sim --test soak
	$(MAKE) --no-print-directory sim RUNS=2000 THREADS=2
	$(MAKE) --no-print-directory fuzz SECONDS=20

prove-long: ## the same for a night: larger walks, 100,000 runs, the soak, 10,000,000 inputs for each parser, mutants
	$(CARGO) test --test model --test invariants -- --ignored --nocapture
	$(MAKE) --no-print-directory sim RUNS=100000 THREADS=2
	$(MAKE) --no-print-directory soak
	$(MAKE) --no-print-directory fuzz RUNS=10000000
	$(MAKE) --no-print-directory mutants

mutants: ## change the pure core in each way that cargo-mutants knows, and see whether a test fails: unit tests first, then promises and properties (hours; needs the network the first time)
	$(CARGO) install --quiet --locked --version 27.1.0 --root $(TARGET)/tools cargo-mutants
	@# It ends with 2 if a mutant lives, and with 3 if one went on for too long: that is for its lists to tell.
	$(TARGET)/tools/bin/cargo-mutants mutants --output $(TARGET) || test $$? -le 3
	$(TARGET)/tools/bin/cargo-mutants mutants --output $(TARGET) --iterate --config .cargo/mutants-left.toml || test $$? -le 3
	@echo 'What is left alive:'
	@cat $(TARGET)/mutants.out/missed.txt

# Options before the command are cargo-deny's own, `check` has its list last. What deny.toml lists for this workspace need not
# occur in the other two.
DENY = $(TARGET)/tools/bin/cargo-deny --locked --workspace --config deny.toml
DENY_ALLOWS = -A license-exception-not-encountered
DENY_ALLOWS_ELSEWHERE = $(DENY_ALLOWS) -A license-not-encountered -A unmatched-skip -A unnecessary-skip

deny: ## licences, sources and duplicates of every dependency, and its known vulnerabilities where their database can be reached (minutes the first time; needs the network)
	$(CARGO) install --quiet --locked --version 0.20.2 --root $(TARGET)/tools cargo-deny
	$(DENY) --manifest-path Cargo.toml check $(DENY_ALLOWS) licenses sources bans
	$(DENY) --manifest-path fuzz/Cargo.toml check $(DENY_ALLOWS_ELSEWHERE) licenses sources bans
	$(DENY) --manifest-path benches/lambda/Cargo.toml check $(DENY_ALLOWS_ELSEWHERE) licenses sources bans
	@if reason="$$($(DENY) --manifest-path Cargo.toml fetch db 2>&1)"; then \
		for workspace in . fuzz benches/lambda; do \
			$(DENY) --manifest-path $$workspace/Cargo.toml check advisories || exit 1; \
		done; \
	else \
		printf 'Known vulnerabilities were NOT checked: the advisory database cannot be reached.\n%s\n' "$$reason"; \
	fi
