# Dragg: build, run, test. `make` alone prints what there is.
SHELL := /bin/bash
GO ?= go
TOOL := $(GO) tool -modfile=tools/go.mod
DATA ?= ./data
FUZZTIME ?= 10m
CHAOS ?= 20
DURATION ?= 10m
SEED ?= 0
WORKLOAD ?=
FAULTS ?= kill,pause,partition,move
KEEP ?=

.DEFAULT_GOAL := help
.PHONY: help build run test unit race lint systest chaos bench fuzz proto proto-check clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

build: ## build bin/dragg, bin/zero and bin/alpha
	@mkdir -p bin
	$(GO) build -o bin/ ./cmd/dragg ./cmd/zero ./cmd/alpha

run: build ## start a database in ./data with the film example, and stay up until Ctrl-C
	@exec bin/dragg up --data $(DATA) --example examples/film --log-level warn

test: lint unit race systest ## everything CI runs: lint, unit tests, the race detector where it pays, whole-system tests

unit: ## unit tests
	$(GO) test ./...

race: ## the packages with concurrency, under the race detector
	$(GO) test -race ./raftgroup/... ./zero/... ./cluster/... ./posting/... ./storage/... ./alpha/... ./query/ ./load/... ./cmd/prompt ./systest/mesh ./systest/workload

lint: proto-check ## vet, staticcheck, gofumpt, house rules, fresh generated code
	$(GO) vet -tags systest ./...
	$(TOOL) staticcheck -tags systest ./...
	@out=$$($(TOOL) gofumpt -l $$(git ls-files '*.go' | grep -v '\.pb\.go$$')); test -z "$$out" || { echo "gofumpt would change:"; echo "$$out"; exit 1; }
	$(GO) test ./internal/lint

systest: build ## whole-system tests against real processes
	$(GO) test -tags systest -timeout 20m ./systest -args -chaos $(CHAOS)

chaos: build ## every workload (or WORKLOAD=a,b) for DURATION under FAULTS; SEED=n repeats a run, KEEP=dir keeps its histories
	$(GO) test -tags systest -count 1 -timeout 0 -v -run '^TestChaos$$' ./systest -args -chaos-time $(DURATION) -chaos-seed $(SEED) \
	  -chaos-workload "$(WORKLOAD)" -chaos-faults "$(FAULTS)" -chaos-keep "$(abspath $(KEEP))"

bench: build ## the figures of docs/benchmarks.md, side by side in one run
	$(GO) test -tags systest -timeout 30m -run '^$$' -bench . -benchtime 1x ./systest/bench

fuzz: ## every fuzz target for FUZZTIME each
	@set -e; for t in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$t | grep '^Fuzz' || true); do \
	    echo "== $$t $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$t; done; done

proto: ## generate protos/pb from dragg.proto
	cd tools && $(GO) run ./protogen -root .. protos/pb/dragg.proto

proto-check: proto
	@git diff --exit-code -- protos/pb || { echo "protos/pb is stale: commit what make proto wrote"; exit 1; }

clean: ## remove what was built
	rm -rf bin
