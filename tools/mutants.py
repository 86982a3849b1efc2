"""Change the arithmetic of benefits one place at a time and see whether the quick tests notice.

``python -m tools.mutants [FILE …] [--every N]``: every comparison, operator, whole number, truth value, ``min`` and
``max`` of the named files of ``services/*/domain`` (by default those of benefits that are no pensions) is changed in
turn, in memory only. Each change runs in a forked process: first the worked examples under ``tests/cases``, then, if
those are content, the tests of the file. A change that nothing notices survives: a hole in the tests, or a place where
nothing depends on it. Prints the survivors and the counts; exits with 1 when one survived.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import pytest

from chassis.policy import open_policy, release_directory
from ops.policy_calculations import Calculator
from ops.policy_check import run
from ops.policy_examples import Example, read_examples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

ROOT = Path(__file__).parents[1]
BENEFITS, TRAINING = "services/benefits/domain", "services/training/domain"
CALCS = {
    f"{BENEFITS}/unemployment.py": ("unemployment",),
    f"{BENEFITS}/injury.py": ("injury", "death"),
    f"{BENEFITS}/injury_end.py": ("termination",),
    f"{BENEFITS}/injury_death.py": ("death",),
    f"{BENEFITS}/survivors.py": ("survivor", "funeral_choice"),
    f"{BENEFITS}/certification.py": ("certification",),
    f"{BENEFITS}/backpay.py": ("resume_backpay", "overpayment"),
    f"{BENEFITS}/disability.py": (),
    f"{TRAINING}/skill_subsidy.py": ("skill_subsidy",),
}  # which examples ask a file
EDGES = "benefits/test_domain_edges.py"
TESTS: dict[str, tuple[str, ...]] = {
    f"{BENEFITS}/unemployment.py": (EDGES, "benefits/test_domain_unemployment.py"),
    f"{BENEFITS}/injury.py": (EDGES, "benefits/test_domain_injury.py"),
    f"{BENEFITS}/injury_end.py": (EDGES, "benefits/test_domain_injury.py"),
    f"{BENEFITS}/injury_death.py": (EDGES, "benefits/test_domain_injury.py"),
    f"{BENEFITS}/survivors.py": (EDGES, "benefits/test_domain_survivors.py"),
    f"{BENEFITS}/certification.py": (EDGES, "benefits/test_domain_certification.py"),
    f"{BENEFITS}/backpay.py": (EDGES, "benefits/test_domain_certification.py"),
    f"{BENEFITS}/disability.py": ("benefits/test_domain_disability.py",),
    f"{TRAINING}/skill_subsidy.py": ("training/test_domain.py",),
}  # the quick ones first: one failure is enough
LIMIT_SECONDS = 120
KILLED, SURVIVED = 0, 77
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}  # fmt: skip
LIKE = {"min": "max", "max": "min", "any": "all", "all": "any"}


def changes(tree: ast.Module) -> Iterator[tuple[str, ast.Module]]:
    """Every change of a module: where and what, and the module with it; texts, types and decorators are left alone."""
    for number, node in enumerate(_places(tree)):
        for what, change in _ways(node):
            made = copy.deepcopy(tree)
            change(_places(made)[number])
            yield f"{getattr(node, 'lineno', 0)}: {what}", ast.fix_missing_locations(made)


def _places(node: ast.AST) -> list[ast.AST]:
    """The nodes under one in reading order, without what says nothing about money."""
    found: list[ast.AST] = []
    for name, value in ast.iter_fields(node):
        if name in {"decorator_list", "annotation", "returns"} or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                found.append(child)
                found += _places(child)
    return found


def _ways(node: ast.AST) -> Iterator[tuple[str, Any]]:
    """In which ways a node can be changed, each with what does it."""
    match node:
        case ast.Compare():
            for place, operator in enumerate(node.ops):
                for other in COMPARISONS[type(operator)]:
                    said = f"{ast.unparse(node)} [{type(operator).__name__} → {other.__name__}]"
                    yield said, lambda one, place=place, other=other: one.ops.__setitem__(place, other())
        case ast.BinOp() if type(node.op) in OPERATORS:
            other_ = OPERATORS[type(node.op)]
            yield f"{ast.unparse(node)} [→ {other_.__name__}]", lambda one: setattr(one, "op", other_())
        case ast.BoolOp():
            swapped = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield f"{ast.unparse(node)} [→ {swapped.__name__}]", lambda one: setattr(one, "op", swapped())
        case ast.UnaryOp(op=ast.Not()):
            yield f"{ast.unparse(node)} [without not]", lambda one: setattr(one, "op", ast.UAdd())
        case ast.Constant(value=bool() as truth):
            yield f"{truth} [turned]", lambda one: setattr(one, "value", not one.value)
        case ast.Constant(value=int() as number):
            yield f"{number} [one more]", lambda one: setattr(one, "value", one.value + 1)
        case ast.Call(func=ast.Name(id=name)) if name in LIKE:
            yield f"{ast.unparse(node)} [→ {LIKE[name]}]", lambda one: setattr(one.func, "id", LIKE[one.func.id])


def put_in(module: ModuleType, tree: ast.Module) -> None:
    """Give a loaded module the code of its changed form, so that everybody who imported from it has that too."""
    made: dict[str, Any] = {"__name__": module.__name__, "__file__": module.__file__}
    registered = sys.modules[module.__name__]
    exec(compile(tree, str(module.__file__), "exec"), made)  # noqa: S102 - our own source
    sys.modules[module.__name__] = registered
    for name, new in made.items():
        old = vars(module).get(name)
        if isinstance(new, FunctionType) and isinstance(old, FunctionType):
            _swap(old, new)
        elif isinstance(new, type) and isinstance(old, type) and new.__module__ == module.__name__:
            for inner, member in vars(new).items():
                _swap(_function(vars(old).get(inner)), _function(member))
        elif not name.startswith("__"):
            setattr(module, name, new)


def _function(member: Any) -> Any:
    match member:
        case property():
            return member.fget
        case classmethod() | staticmethod():
            return member.__func__
    return member


def _swap(old: Any, new: Any) -> None:
    if isinstance(old, FunctionType) and isinstance(new, FunctionType):
        if not old.__closure__ and not new.__closure__:
            old.__code__ = new.__code__
        old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__


def survives(file: str, tree: ast.Module, calculator: Calculator, examples: Sequence[Example]) -> bool:
    """Whether examples and tests are content with a changed file, asked in a process of its own."""
    child = os.fork()
    if child == 0:
        signal.alarm(LIMIT_SECONDS)  # a change may make a loop endless; the signal ends the process
        nowhere = Path(os.devnull).open("w")  # noqa: SIM115 - the process ends with it
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            try:
                code = SURVIVED if _is_content(file, tree, calculator, examples) else KILLED
            except BaseException:  # noqa: BLE001 - whatever it is, it was noticed
                code = KILLED
        os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == SURVIVED


def _is_content(file: str, tree: ast.Module, calculator: Calculator, examples: Sequence[Example]) -> bool:
    put_in(importlib.import_module(file.removesuffix(".py").replace("/", ".")), tree)
    if any(run(one, calculator).status != "pass" for one in examples if one.calc in CALCS[file]):
        return False
    if not TESTS[file]:
        return True
    tests = [str(ROOT / "tests" / one) for one in TESTS[file]]
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "not slow"]
    return pytest.main([*options, *tests]) == pytest.ExitCode.OK


def main(arguments: list[str]) -> int:
    """Try the changes, print what survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", default=list(TESTS))
    parser.add_argument("--every", type=int, default=1, help="of so many changes try one")
    parser.add_argument("--examples-only", action="store_true", help="ask the worked examples, not the tests")
    given = parser.parse_args(arguments)
    for file in given.files if given.examples_only else ():
        TESTS[file] = ()
    calculator = Calculator(open_policy(release_directory()))
    examples = [one for path in sorted((ROOT / "tests/cases").glob("*.yaml")) for one in read_examples(path)]
    tried: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for file in given.files:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        if not survives(file, tree, calculator, examples):
            raise SystemExit(f"{file}: its own tests fail unchanged")
        for number, (what, changed) in enumerate(changes(tree)):
            if number % given.every:
                continue
            tried[file] += 1
            if survives(file, changed, calculator, examples):
                left[file] += 1
                sys.stdout.write(f"survived  {file}:{what}\n")
                sys.stdout.flush()
        sys.stdout.write(f"{file}: {tried[file]} changes, {left[file]} survived\n")
        sys.stdout.flush()
    sys.stdout.write(f"{sum(tried.values())} changes, {sum(left.values())} survived\n")
    return 1 if sum(left.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
