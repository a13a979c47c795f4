# `make` lists the targets. Needs Rust, make and a C compiler; targets that need more say so.

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
SCENARIO ?= tests/scenarios/tour.txt
PAUSE ?= 430
SEED ?= 1
THREADS ?= 1
PORT ?= 4566
# For `make queues-worker`.
QUEUES = celery sidekiq bullmq temporal
# For `make fuzz`, as is TARGET on its command line.
SECONDS = 30
# For `make mutants`: the files that it changes, and which share of the changes it tries, such as 0/16 (all if empty).
MUTATE = src/outbox.rs src/store.rs src/store/** src/task.rs src/task/** src/service.rs src/service/**
SHARD =
# The patches that `make breaks` applies. All of them if empty.
BREAKS =
# For `make test-load`.
MESSAGES = 20000
KILLS = 200
# For `make sim`, and for `make fuzz`, which otherwise ends only after SECONDS.
RUNS =
# For `make deny`: with `required` it fails if the database of known vulnerabilities cannot be reached.
ADVISORIES ?=
EVENT ?= events/command-status.json
# For `make deploy`: the stack, parameters that it then does not ask for (NAME=VALUE …), and `no` for no questions at all.
STACK ?= taskhold
PARAMETERS =
CONFIRM =
ARCH ?= $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)
RUST_TARGET := $(if $(filter arm64,$(ARCH)),aarch64,x86_64)-unknown-linux-gnu
# SAM looks for cargo-lambda on the path. Its telemetry is off.
IN_SAM_TOOLS = PATH="$$(tests/tools/venv sam)/bin:$$PATH" SAM_CLI_TELEMETRY=0

# Builds the function and the simulator. With --examples, of which there are none, Cargo gives dependencies the features that they
# have in `make test`, without building what only tests need. Otherwise it would compile the SDK again for `make test`.
PROGRAMS = $(CARGO) build --workspace --bins --examples
# The same for interactive use: without optimizing the two crates, which pays off only over millions of simulated calls.
SHOWN = $(PROGRAMS) --config profile.dev.package.taskhold.opt-level=0 --config profile.dev.package.ecs-sim.opt-level=0
# The simulator alone: with the function if that is built already, and otherwise without the SDK.
SIMULATOR = $(if $(wildcard $(TARGET)/debug/bootstrap),$(SHOWN),$(CARGO) build --package ecs-sim --bins)
# Builds a program: the first time with Cargo's output, and later quietly, unless that takes more than five seconds.
# building FILE WHAT COMMAND
building = if test -x $(1); then \
		{ sleep 5 </dev/null >/dev/null 2>&1; echo 'Building $(2) again, which can take minutes.'; } & says=$$!; \
		$(3) --quiet; built=$$?; kill $$says 2>/dev/null; exit $$built; \
	else echo 'Building $(2), which takes minutes the first time.'; $(3); fi

.DEFAULT_GOAL := help
.PHONY: help run test suggestions test-e2e test-load test-clients test-sam test-deploy test-terraform check fmt clippy doc build worker test-worker conformance-worker snippets-worker figures-worker queues-worker deploy invoke validate scenario sim soak quarter serve bench bench-plan bench-growth bench-calls budgets fuzz prove mutants breaks deny nightly nightly-scenarios nightly-emulators nightly-terraform nightly-dependencies nightly-load nightly-model nightly-runs nightly-soak nightly-fuzz nightly-mutants nightly-bench nightly-worker

# Each target names its group: `name: ## use: what it does`.
help: ## use: list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{ \
			group = "other"; text = $$2; \
			if (match(text, /^(use|develop|prove): /)) { group = substr(text, 1, RLENGTH - 2); text = substr(text, RLENGTH + 1) } \
			lines[group] = lines[group] sprintf("  make %-18s %s\n", $$1, text) \
		} \
		END { \
			count = split("use develop prove other", groups, " "); \
			for (at = 1; at <= count; at++) if (groups[at] in lines) printf "%s:\n%s", toupper(substr(groups[at], 1, 1)) substr(groups[at], 2), lines[groups[at]] \
		}' $(MAKEFILE_LIST)

run: ## use: watch the real function protect two busy tasks during a deployment (15 seconds)
	@$(call building,$(TARGET)/debug/bootstrap,the function and a simulated ECS,$(SHOWN))
	@$(TARGET)/debug/ecs-sim play $(SCENARIO) --bootstrap $(TARGET)/debug/bootstrap --worker $(TARGET)/debug/taskhold-run --pause $(PAUSE)
	@printf '\nWhat you saw was the real Lambda function and a worker under taskhold-run, on a simulated ECS. Next:\n'
	@printf '  make run SCENARIO=tests/scenarios/NAME.txt   another of the scenarios in tests/scenarios\n'
	@printf '  make serve                                talk to the simulated ECS with the AWS CLI\n'
	@printf '  README.md                                 deploy it beside your own service\n'

test: ## develop: run all tests that need no other server; scenarios are sampled: make test TASKHOLD_TESTS=all
	$(CARGO) test --workspace --no-fail-fast

suggestions: ## prove: carry out every action that alerts suggest, under each variant of AWS that differs in one switch (minutes)
	$(CARGO) test --workspace --test all -- --ignored --nocapture suggestions::

# TASKHOLD_BOOTSTRAP names another build of the function, such as target/debug/bootstrap, which is quicker to make.
test-e2e: $(if $(TASKHOLD_BOOTSTRAP),,build) ## prove: run the built function under the AWS Lambda emulator on emulated AWS services (minutes; needs Python 3, and the network the first time): make test-e2e TASKHOLD_TESTS=all
	$(PROGRAMS) --quiet --test all
	CARGO="$(CARGO)" tests/e2e/run --seed $(SEED)

test-load: $(if $(TASKHOLD_BOOTSTRAP),,build) ## prove: kill three instances of the built function at random moments under load, on emulated AWS services (needs Python 3, and the network the first time): make test-load MESSAGES=20000 KILLS=200
	$(PROGRAMS) --quiet
	venv="$$(tests/tools/venv emulators)" && tests/tools/venv sam >/dev/null && "$$venv/bin/python" -m pytest --quiet \
		-p no:cacheprovider tests/e2e/test_load.py --seed $(SEED) --messages $(MESSAGES) --kills $(KILLS)

test-clients: ## prove: call the simulated ECS with boto3 and the AWS CLI, and match events against the rules of template.yaml with moto (1 to 2 minutes; needs Python 3, jq, and the network the first time)
	$(PROGRAMS) --quiet
	venv="$$(tests/tools/venv emulators)" && "$$venv/bin/python" -m pytest --quiet \
		-p no:cacheprovider tests/clients --ecs-sim $(TARGET)/debug/ecs-sim

check: fmt clippy doc test ## develop: run what must pass before a commit: format, lints, docs, tests

fmt:
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) fmt --manifest-path benches/lambda/Cargo.toml --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@# These two have their own lock files, which include the dependencies of this workspace: --locked fails if one is stale.
	@for workspace in fuzz benches/lambda; do \
		$(CARGO) metadata --locked --format-version 1 --manifest-path $$workspace/Cargo.toml >/dev/null || exit 1; \
	done

doc:
	@# --examples: as in PROGRAMS above.
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --quiet --lib --bin bootstrap --examples

build: ## use: build the function for Lambda, for SAM and for Terraform (minutes; needs Python 3, and the network the first time): make build ARCH=arm64
	@case $(ARCH) in x86_64 | arm64) ;; *) echo "ARCH is x86_64 or arm64, not \`$(ARCH)\`" >&2; exit 1 ;; esac
	@ls "$$(rustc --print target-libdir --target $(RUST_TARGET))" >/dev/null 2>&1 \
		|| { echo "Rust cannot build for $(ARCH) yet: rustup target add $(RUST_TARGET)" >&2; exit 1; }
	@echo 'Building the function as it is deployed, which takes minutes the first time and after a change.'
	$(IN_SAM_TOOLS) sam build --parameter-overrides Architecture=$(ARCH)
	@tests/sam/fits_lambda.py $(TARGET)/lambda/bootstrap/bootstrap $(ARCH)
	@terraform/package $(TARGET)/lambda/bootstrap/bootstrap $(TARGET)/lambda/bootstrap.zip

worker: ## use: build taskhold-run, which protects its task and runs a job, for Linux with glibc 2.17 or newer, and for each other container target whose Rust target is installed (minutes; needs Python 3, and the network the first time): make worker ARCH=arm64
	PATH="$$(tests/tools/venv worker)/bin:$$PATH" CARGO="$(CARGO)" worker/build $(TARGET)/worker $(RUST_TARGET)

test-worker: ## develop: run the tests of taskhold-run without the AWS SDK
	$(CARGO) test --package taskhold-run --no-default-features

conformance-worker: ## prove: compare taskhold-run as PID 1 with tini and dumb-init, where they are installed (needs unshare)
	$(CARGO) build --quiet --package taskhold-run --no-default-features
	worker/tests/conformance $(TARGET)/debug/taskhold-run

snippets-worker: ## prove: run the programs of docs/workers.md and docs/serve.md in every language (installs missing languages with apt-get)
	CARGO="$(CARGO)" worker/tests/snippets

figures-worker: ## prove: measure the size, the memory and the start of taskhold-run beside tini (needs Linux, Python 3, tini; minutes the first time)
	$(CARGO) build --quiet --release --package taskhold-run
	worker/tests/figures $(TARGET)/release/taskhold-run $(RUNS)

queues-worker: ## prove: run Celery, Sidekiq, BullMQ and Temporal with their real servers under taskhold-run serve, and kill their processes at random: make queues-worker QUEUES=celery SEED=7 (needs Redis, Python 3, Node.js and Debian's ruby-sidekiq, and the network the first time)
	$(PROGRAMS) --quiet
	mkdir -p $(TARGET)/npm && cp tests/tools/bullmq/*.json $(TARGET)/npm
	cd $(TARGET)/npm && npm ci --ignore-scripts --no-audit --no-fund --silent
	venv="$$(tests/tools/venv queues)" && for queue in $(QUEUES); do \
		NODE_MODULES="$$(realpath $(TARGET)/npm/node_modules)" "$$venv/bin/python" worker/tests/queues/run $$queue \
			$(TARGET)/debug --seed $(SEED) || exit 1; \
	done

# With ARCH given the stack changes to it; without it, a stack keeps its own and a new stack gets this machine's.
# Not $(MAKE) in the recipe itself: `make -n deploy` would deploy.
BUILD_FOR_DEPLOY = $(MAKE) --no-print-directory build
DEPLOY = $(IN_SAM_TOOLS) scripts/deploy --stack "$(STACK)" $(if $(filter no,$(CONFIRM)),--no-confirm)
CHANGES = $(PARAMETERS) $(if $(filter-out file,$(origin ARCH)),Architecture=$(ARCH))

deploy: ## use: build and deploy a stack with SAM; Enter keeps the parameters that the stack has: make deploy STACK=taskhold-video
	@arch="$$($(DEPLOY) --architecture $(CHANGES))" && arch="$${arch:-$(ARCH)}" \
		&& $(BUILD_FOR_DEPLOY) ARCH="$$arch" \
		&& $(DEPLOY) $(CHANGES) Architecture="$$arch"

invoke: ## use: run the built function in a SAM container on a simulated ECS (needs Docker): make invoke EVENT=events/sweep.json
	@test -f .aws-sam/build/Function/bootstrap || $(MAKE) build
	@$(call building,$(TARGET)/debug/ecs-sim,a simulated ECS,$(SIMULATOR))
	@$(IN_SAM_TOOLS) tests/sam/invoke $(EVENT) $(ENDPOINT)

validate: ## develop: check the template with SAM and cfn-lint, and test `make deploy` (2 minutes; needs Python 3, and the network the first time)
	$(IN_SAM_TOOLS) sam validate --lint --region eu-west-1
	$(IN_SAM_TOOLS) cfn-lint template.yaml
	$(MAKE) --no-print-directory test-deploy

test-sam: build ## prove: run the built function in a SAM container on payloads of events/ (minutes; needs Docker): make test-sam TASKHOLD_TESTS=all
	$(PROGRAMS) --quiet
	tests/sam/run

test-deploy: ## prove: make deploy with the real SAM CLI on an emulated CloudFormation: a second deployment keeps a stack's parameters (a minute; needs Python 3, and the network the first time)
	tests/tools/venv sam >/dev/null
	venv="$$(tests/tools/venv emulators)" && PYTHONDONTWRITEBYTECODE=1 "$$venv/bin/python" -m pytest --quiet \
		-p no:cacheprovider --disable-warnings --numprocesses 2 tests/deploy

test-terraform: ## prove: validate the Terraform module and apply it to an emulated AWS (minutes; needs Terraform and its AWS provider)
	tests/terraform/run

scenario: ## use: run scenarios in process and show what happens: make scenario SCENARIO=tests/scenarios/NAME.txt
	@$(call building,$(TARGET)/debug/ecs-sim,a simulated ECS,$(SIMULATOR))
	@$(TARGET)/debug/ecs-sim scenario $(SCENARIO)

sim: ## prove: run the whole function with random faults and check its promises: make sim SEED=1 RUNS=1000 THREADS=2 (the first build: minutes)
	@$(call building,$(TARGET)/soak/ecs-sim,a simulated ECS that is quick to run,$(CARGO) build --profile soak -p ecs-sim)
	@$(TARGET)/soak/ecs-sim sim --seed $(SEED) --runs $(or $(RUNS),1000) --threads $(THREADS)

soak: ## prove: simulate 30 days of 500 services and 5,000 tasks with faults; nothing may stay open or grow (minutes): make soak SEED=1
	SOAK_SEED=$(SEED) $(CARGO) test --quiet --profile soak --no-default-features -p taskhold-tests -- --ignored --nocapture soak::

quarter: ## prove: simulate a quarter of fifty busy services, and count the notifications per week, how many are false, and how many are missed (minutes)
	$(CARGO) test --quiet --profile soak --no-default-features -p taskhold-tests -- --ignored --nocapture quarter::

serve: ## use: run the real function behind a simulated queue, ECS and schedule on loopback, for the AWS CLI, SDKs and workers: make serve PORT=4566
	@$(call building,$(TARGET)/debug/bootstrap,the function and a simulated ECS,$(SHOWN))
	@$(TARGET)/debug/ecs-sim serve --port $(PORT) --bootstrap $(TARGET)/debug/bootstrap

bench-calls: ## develop: count calls to ECS per message and per sweep, and the reconciles, reads and seconds from a blocked deployment to its alert
	@$(CARGO) test --quiet -p taskhold-tests -- --nocapture --test-threads 1 figures:: linger::rechecks
	@$(CARGO) test --quiet -p taskhold-tests -- --nocapture --test-threads 1 watch::chain watch::reads watch::time_to_alert sweep::calls

bench: ## prove: measure the function as a process, next to functions in Rust and Python: make bench RUNS=20 (half an hour; needs Linux and Python 3, and the network the first time)
	@benches/lambda/run --runs $(or $(RUNS),20)

bench-plan: ## develop: measure a batch of 10,000 messages in process (the first build: minutes)
	$(CARGO) bench --no-default-features --bench plan

bench-growth: ## develop: measure how an invocation grows with tasks, jobs and records, in process (the first build: minutes)
	$(CARGO) bench --quiet --no-default-features --bench growth

budgets: ## develop: check the budgets of docs/performance.md: allocations, calls, instructions (need valgrind), size (after make build)
	$(CARGO) test --quiet --test budgets -- --nocapture --test-threads 1
	CARGO="$(CARGO)" benches/lambda/budgets

fuzz: ## prove: fuzz every parser, on stable Rust: make fuzz SECONDS=30 TARGET=all, for a night RUNS=10000000 (needs a C++ compiler)
	@fuzz/run --target $(if $(filter command,$(firstword $(origin TARGET))),$(TARGET),all) --seconds $(SECONDS) --runs "$(RUNS)"

prove: ## prove: look for broken promises for some minutes: every order of steps, random runs with faults, fuzzing
	$(CARGO) test --test model
	$(CARGO) test -p taskhold-tests -- properties:: sim:: soak::
	$(MAKE) --no-print-directory sim RUNS=3000 THREADS=2
	$(MAKE) --no-print-directory fuzz SECONDS=20

nightly: ## prove: run everything that CI samples or leaves out (a night); one part: make nightly-model
	.ci/nightly

nightly-scenarios: ## prove: run every scenario under every variant of AWS, and against the real function, and every suggested action
	$(PROGRAMS)
	TASKHOLD_TESTS=all $(CARGO) test --workspace --test all -- --nocapture scenarios:: gate::stages:: suggestions::

nightly-emulators: ## prove: run every scenario on DynamoDB, every payload in a SAM container, cargo lambda watch
	TASKHOLD_TESTS=all $(MAKE) --no-print-directory test-e2e
	TASKHOLD_TESTS=all $(MAKE) --no-print-directory test-sam

nightly-terraform: ## prove: apply the Terraform module to an emulated AWS
	$(MAKE) --no-print-directory test-terraform

nightly-dependencies: ## prove: check licences, sources and known vulnerabilities of dependencies; lints of the two other workspaces
	$(MAKE) --no-print-directory deny ADVISORIES=required
	for workspace in fuzz benches/lambda; do \
		$(CARGO) clippy --manifest-path $$workspace/Cargo.toml --all-targets -- -D warnings || exit 1; \
	done

nightly-load: ## prove: send 20,000 messages through three instances of the function, and kill them 200 times
	$(MAKE) --no-print-directory test-load

nightly-model: ## prove: check the larger configurations of the model checker
	$(CARGO) test --profile soak --no-default-features --test model -- --ignored --nocapture --test-threads 2

nightly-runs: ## prove: run 150,000 random simulations, 50,000 of them of the protection protocol, 20,000 cases of each property
	$(MAKE) --no-print-directory sim RUNS=150000 THREADS=2
	PROPTEST_CASES=20000 $(CARGO) test --profile soak --no-default-features -p taskhold-tests properties::

nightly-soak: ## prove: simulate 30 days of 500 services with faults, a month without any, and a quarter of notifications
	$(MAKE) --no-print-directory soak
	TASKHOLD_TESTS=all $(CARGO) test --profile soak --no-default-features -p taskhold-tests -- --include-ignored --nocapture routine::
	$(MAKE) --no-print-directory quarter

nightly-fuzz: ## prove: fuzz each parser for ten minutes
	$(MAKE) --no-print-directory fuzz SECONDS=600

# All of them take many hours. The day counts from the epoch, so that each night has the next share.
nightly-mutants: ## prove: mutate the core and see whether a test fails, a sixteenth of all mutants each night; apply each patch of tests/breaks and see whether its test fails
	$(MAKE) --no-print-directory breaks
	$(MAKE) --no-print-directory mutants SHARD=$$(($$(date +%s) / 86400 % 16))/16

nightly-bench: ## prove: measure the function as a process, and in process, and check the budgets
	tests/tools/packages valgrind
	$(MAKE) --no-print-directory build
	benches/lambda/budgets --all
	$(CARGO) test --quiet --manifest-path benches/lambda/Cargo.toml
	$(MAKE) --no-print-directory bench
	$(MAKE) --no-print-directory bench-growth
	$(MAKE) --no-print-directory bench-plan

nightly-worker: ## prove: compare taskhold-run with tini and dumb-init; its tests without the AWS SDK, its figures, its programs in every language, work queues under it
	tests/tools/packages tini dumb-init redis-server sidekiq=ruby-sidekiq node=nodejs npm
	$(MAKE) --no-print-directory test-worker
	$(MAKE) --no-print-directory worker
	$(MAKE) --no-print-directory conformance-worker
	$(MAKE) --no-print-directory snippets-worker
	$(MAKE) --no-print-directory queues-worker
	$(MAKE) --no-print-directory figures-worker

MUTATIONS = $(TARGET)/tools/bin/cargo-mutants mutants --output $(TARGET) $(foreach glob,$(MUTATE),--file '$(glob)')
mutants: ## prove: change the pure core in each way that cargo-mutants knows, and see whether a test fails: unit tests first, then promises and properties (hours; needs the network the first time)
	$(CARGO) install --quiet --locked --version 27.1.0 --root $(TARGET)/tools cargo-mutants
	@# It ends with 2 if a mutant lives, and with 3 if one went on for too long: that is for its lists to tell.
	$(MUTATIONS) --jobs 2 $(if $(SHARD),--shard $(SHARD)) || { ended=$$?; test $$ended -eq 2 -o $$ended -eq 3; }
	@# The second round tests only the survivors, so all other mutants are listed as caught. `--shard` would split the survivors again.
	$(MUTATIONS) --list | grep --invert-match --line-regexp --fixed-strings --file=$(TARGET)/mutants.out/missed.txt \
		--file=$(TARGET)/mutants.out/timeout.txt >$(TARGET)/mutants.out/previously_caught.txt || test $$? -eq 1
	$(MUTATIONS) --jobs 2 --iterate --config .cargo/mutants-left.toml || { ended=$$?; test $$ended -eq 2 -o $$ended -eq 3; }
	@echo 'Surviving mutants:'
	@cat $(TARGET)/mutants.out/missed.txt

breaks: ## prove: apply each patch of tests/breaks, which breaks a promise on purpose, and require that the test it names fails (about 10 minutes): make breaks BREAKS=finish_without_room
	CARGO="$(CARGO)" tests/breaks/run $(BREAKS)

# cargo-deny's own options come before the command, and the list of checks comes last. The other two workspaces need not
# contain everything that deny.toml lists.
DENY = $(TARGET)/tools/bin/cargo-deny --locked --workspace --config deny.toml
DENY_ALLOWS = -A license-exception-not-encountered
DENY_ALLOWS_ELSEWHERE = $(DENY_ALLOWS) -A license-not-encountered -A unmatched-skip -A unnecessary-skip

deny: ## develop: licences, sources and duplicates of every dependency, and its known vulnerabilities where their database can be reached (minutes the first time; needs the network)
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
		test "$(ADVISORIES)" != required; \
	fi
