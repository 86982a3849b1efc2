# Every target first makes .venv ready (tools/bootstrap.py); where nothing changed that costs a fraction of a second.
PYTHON ?= python3
BIN := .venv/bin
# Tests are many processes of much code: each would compile all of it for itself where Python may not keep bytecode.
KEEP := env -u PYTHONDONTWRITEBYTECODE
# Options for the command behind a target: make up ARGS=--detach, make test ARGS="tests/ops -x"
ARGS ?=

.PHONY: help bootstrap up down demo test test-slow race bench compose-test check format lock clean

help:
	@echo "make up      启动整个平台 / start the whole platform (Ctrl-C stops it)"
	@echo "make demo    播放“一生社保” / play one working life through the public API"
	@echo "make test    测试 / the tests"
	@echo "make test-slow  耗时测试：大量随机样本、长流程 / the long tests: many random cases, long journeys"
	@echo "make race    同一件事同时办四次，一千轮 / the same thing four times at once, 1,000 rounds"
	@echo "make bench   性能对比，数分钟 / benchmarks beside a peer, several minutes"
	@echo "make compose-test  在容器中演练整个平台 / rehearse the whole platform in containers (needs Docker)"
	@echo "make check   所有检查 / every check of code and contract"
	@echo "make format  格式化 / format code and contract"
	@echo "make lock    重新锁定依赖 / compile requirements/*.in with hashes"
	@echo "make clean   清除生成物，不含数据 / remove what can be made again, never data"

bootstrap:
	@$(PYTHON) tools/bootstrap.py

up: bootstrap
	@exec $(BIN)/hrss up --offer-demo $(ARGS)

down: bootstrap
	@exec $(BIN)/hrss down

demo: bootstrap
	@exec $(BIN)/hrss demo $(ARGS)

test: bootstrap
	@exec $(KEEP) $(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

test-slow: bootstrap
	@exec $(KEEP) $(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder -m slow --timeout 600 $(ARGS)

race: bootstrap
	@RACE_ROUNDS=1000 exec $(KEEP) $(BIN)/pytest tests/race -s $(ARGS)

bench: bootstrap
	@exec $(BIN)/hrss bench $(ARGS)

compose-test: bootstrap
	@exec $(BIN)/python -m tests.compose.story $(ARGS)

check: bootstrap
	@exec $(BIN)/python tools/check.py $(ARGS)

format: bootstrap
	@$(BIN)/ruff check --fix --quiet .; $(BIN)/ruff format . && $(BIN)/buf format -w

lock: bootstrap
	@$(PYTHON) tools/bootstrap.py --lock

clean:
	@rm -rf .venv gen gen.building build dist .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
