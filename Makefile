# What a person types. It takes Rust (rustup reads rust-toolchain.toml) and a C compiler; `make test` takes Node, too, for
# the audit of GraphQL over HTTP. `.ci/run` runs `make lint deny test` with PostgreSQL beside it.

.DEFAULT_GOAL := help
.PHONY: help run test lint deny sbom fmt bench bench-association fuzz fuzz-schema soak schema

help: ## List the targets
	@sed -n 's/^\([a-z-]*\): ## /\1\t/p' Makefile

run: ## Build the server and serve the directory in ./data at http://127.0.0.1:8000
	cargo run --release --locked -- serve

test: ## Run every test; on PostgreSQL too if TEST_POSTGRES_URL is set
	REQUIRE_NODE=1 cargo test --workspace --locked

lint: ## Check the format, the lints and the documentation; a warning is an error
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked

deny: ## Hold the dependencies to deny.toml: advisories, licences, sources
	.ci/deny

sbom: ## Write what the program is made of to target/roster.cdx.json, as CycloneDX
	command -v cargo-cyclonedx >/dev/null || cargo install cargo-cyclonedx --version 0.5.9 --locked --debug --quiet
	cargo cyclonedx --quiet --format json --spec-version 1.5 --describe binaries
	mv roster_bin.cdx.json target/roster.cdx.json

fmt: ## Format the code
	cargo fmt --all

bench: ## Measure against the targets, about ten minutes; on PostgreSQL too if ROSTER_BENCH_POSTGRES_URL is set
	cargo bench --locked --bench scale

bench-association: ## Measure suggestions: their speed, and how right they are on the sets in ROSTER_IDENTITY_DATA, if it is set
	cargo bench --locked --bench association

# How long each target is fuzzed, in seconds. Takes a nightly Rust, for its sanitizer.
fuzz: export FUZZ_SECONDS ?= 600
fuzz: ## Fuzz every reader of what clients send, ten minutes each
	command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --version 0.13.2 --locked --debug --quiet
	cp Cargo.lock fuzz/Cargo.lock
	for target in $$(cargo +nightly fuzz list); do \
		mkdir -p target/fuzz/$$target && cargo +nightly fuzz run $$target target/fuzz/$$target fuzz/corpus/$$target -- -max_total_time=$$FUZZ_SECONDS -max_len=8192 || exit 1; \
	done

fuzz-schema: ## Send random operations of the schema to a server, some minutes; takes Python
	tests/audit/schema_fuzz.sh

# How many kills, of how large an import; how many writes lie between two kills; how many rows of 1 kB a large file has;
# how many random drafts; how many times two imports race; how many sequences of reported accounts; how many random merges;
# how many random documents; how many requests whose client goes away; how many slow clients; how many seconds of
# load; how many restarts of PostgreSQL.
soak: export SOAK_KILLS ?= 200
soak: export SOAK_ROWS ?= 100000
soak: export SOAK_STEP ?= 30
soak: export SOAK_MEMORY_ROWS ?= 1000000
soak: export SOAK_CASES ?= 500
soak: export SOAK_ROUNDS ?= 50
soak: export SOAK_SEQUENCES ?= 10000
soak: export SOAK_MERGES ?= 500
soak: export SOAK_RESTARTS ?= 20
soak: export SOAK_DOCUMENTS ?= 20000
soak: export SOAK_REQUESTS ?= 10000
soak: export SOAK_CLIENTS ?= 500
soak: export SOAK_SECONDS ?= 60
soak: ## Kill what writes, feed large files and load servers, some hours; on PostgreSQL too if TEST_POSTGRES_URL is set
	cargo test --release --locked --test it soak:: -- --nocapture --test-threads 1

schema: ## Write schema.graphql anew
	cargo run --quiet --locked -- schema > schema.graphql.new
	mv schema.graphql.new schema.graphql
