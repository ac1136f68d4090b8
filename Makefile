# `make demo` and `make test` do all set-up themselves; they need Python 3.11 or newer, git and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup demo up down status test test-unit test-cluster test-crash lint types format bench bench-language bench-writes bench-cluster lock clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup:  ## the three environments, from their locks (does nothing when they are current)
	@$(PYTHON) scripts/setup.py

demo: setup  ## start every part, train, register, deploy, infer; leaves the platform up
	@$(BIN)/ordain demo

up: setup  ## start the platform in the foreground
	@$(BIN)/ordain up

down: setup  ## stop the platform and all that belongs to it
	@$(BIN)/ordain down

status: setup  ## every part: pid, address, memory, health
	@$(BIN)/ordain status

test: setup  ## all tests, the end-to-end line on the real parts included
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-unit: setup  ## the tests that need no running part
	@$(BIN)/python -m pytest tests/unit tests/property tests/golden tests/architecture

test-cluster: setup  ## apply what is rendered to the cluster that ORDAIN_TEST_KUBECONFIG names; nothing of it is left
	@: $${ORDAIN_TEST_KUBECONFIG:?must name the kubeconfig of a cluster with Kubernetes 1.36 and KServe 0.20}
	@$(BIN)/python -m pytest -m cluster tests/cluster tests/contract

test-crash: setup  ## kill the writer and orchestrators at each of their steps, again and again
	@ORDAIN_CRASH_ROUNDS=$${ORDAIN_CRASH_ROUNDS:-5} $(BIN)/python -m pytest tests/crash

lint: setup  ## style and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: setup  ## mypy, strict
	@$(BIN)/mypy

format: setup  ## rewrite to the house's format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup  ## measure the language, commits, writes and the running line, as tables
	@$(BIN)/python -m tests.bench

bench-language: setup  ## measure validate, render and plan alone
	@$(BIN)/python -m tests.bench language

bench-writes: setup  ## measure writes alone, from the request to the durable commit
	@$(BIN)/python -m tests.bench writes

bench-cluster: setup  ## measure runs and deployments on doubles, and on the cluster that ORDAIN_TEST_KUBECONFIG names
	@$(BIN)/python -m tests.bench kfp cluster

lock:  ## resolve and pin the requirements anew
	@$(PYTHON) scripts/lock.py

clean:  ## remove the environments and caches; a platform's state stays
	@rm -rf .venv .venv-tasks .venv-triton .venv-uv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
