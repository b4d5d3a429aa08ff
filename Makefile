# The front door. `make` alone lists every task; each installs what it needs (tools/setup) and can be run again.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

JOBS ?= $(shell nproc)
PYTHON := build/venv/bin/python

# Compilations are remembered across build folders and checkouts where ccache is installed.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
export CCACHE_SLOPPINESS := pch_defines,time_macros
export CCACHE_INODECACHE := 1
configure = if command -v ccache >/dev/null; then \
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi; \
  [ -f build/$(1)/build.ninja ] || cmake --preset $(1) >build/$(1).configure.log 2>&1 || \
    { cat build/$(1).configure.log; exit 1; }
compile = mkdir -p build; $(call configure,$(1)); cmake --build build/$(1) -j $(JOBS)

##@ Use
.PHONY: demo build wheel
demo: build ## start the server on a real model and show an answer
	@$(PYTHON) tools/demo

build: ## the server and its backends, into build/release
	@tools/setup build
	@$(call compile,release)

wheel: ## a pip wheel of the server, into build/wheel/dist
	@tools/setup wheel
	@$(call compile,release)
	@$(PYTHON) tools/build-wheel

##@ Check
.PHONY: test test-all conformance soak lint format asan tsan fuzz test-wheel
test: ## build, and run the unit, structure and integration tests, and those of the backends
	@tools/setup test
	@$(call compile,release)
	@tools/test unit structure integration backends

test-all: ## test, conformance, soak, the sanitizers, the fuzz targets and the wheel: all that can be checked
	@$(MAKE) test
	@$(MAKE) test-wheel
	@$(MAKE) conformance
	@$(MAKE) soak
	@$(MAKE) asan
	@$(MAKE) tsan
	@$(MAKE) fuzz

conformance: ## other people's suites and clients, schemathesis, the Open Inference Protocol; writes docs/conformance.md
	@tools/setup conformance
	@$(call compile,release)
	@cmake -DMODELMILL_CONFORMANCE=ON build/release >build/conformance.configure.log || \
	  { cat build/conformance.configure.log; exit 1; }
	@cmake --build build/release -j $(JOBS) --target conformance
	@tools/test conformance

soak: ## thousands of idle and slow clients, a hundred version swaps, hundreds of kills of servers and Python workers
	@tools/setup test
	@$(call compile,release)
	@tools/test soak

test-wheel: ## install the wheel outside the checkout, and use it there
	@tools/setup test
	@$(MAKE) wheel
	@tools/test wheel

asan: ## the unit and integration tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/setup test
	@$(call compile,asan-ubsan)
	@tools/test --preset asan-ubsan unit integration

tsan: ## the unit and integration tests under ThreadSanitizer
	@tools/setup test
	@$(call compile,tsan)
	@tools/test --preset tsan unit integration

fuzz: ## each fuzz target for FUZZ_SECONDS (240), two at a time, under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/setup fuzz
	@mkdir -p build; $(call configure,fuzz); cmake --build build/fuzz -j $(JOBS) --target mm_fuzz
	@tools/fuzz

lint: ## format, clang-tidy, thread-safety analysis and the structure tests
	@tools/setup lint
	@$(call compile,release)
	@tools/lint

format: ## lay out all C and C++ sources
	@tools/setup lint
	@tools/lint --fix-format

##@ Measure
.PHONY: bench
bench: ## ratios against gRPC C++ and bare ONNX Runtime, into bench/results
	@tools/setup bench
	@$(call compile,bench)
	@$(PYTHON) bench/run.py

##@ Keep house
.PHONY: help setup clean
setup: ## install what building and testing need
	@tools/setup test

clean: ## remove everything built
	rm -rf build

help:
	@awk 'BEGIN { print "modelmill: make TASK" } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { name = $$0; sub(/:.*/, "", name); text = $$0; sub(/.*## /, "", text); \
	    printf "  %-12s %s\n", name, text }' $(firstword $(MAKEFILE_LIST))
