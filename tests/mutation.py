"""Whether the tests of `crypto/` notice when one comparison is another: `make mutation`.

Each mutant changes one operator, one condition or one constant of a comparison, in a process of its own that runs
the tests which import the module. The ones that no test notices are printed.
"""

import ast
import multiprocessing
import os
import re
import sys
from collections.abc import Iterator
from importlib.abc import SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from hypothesis import settings

_ROOT = Path(__file__).parents[1]
_MODULES = sorted((_ROOT / "kms_server/crypto").glob("*.py"))
_TESTS = _ROOT / "tests/unit/crypto"
_OTHER_OPERATORS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
}  # fmt: skip
_OPTIONS = ["-x", "--noconftest", "--timeout=60", "--assert=plain", "-pno:cacheprovider"]


class Mutant(NamedTuple):
    """A module with one difference, or with none where it has no place."""

    module: str
    place: str
    source: str


class Importer(SourceLoader):
    """Imports a mutant in place of its module."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, _: object, __: ModuleType | None = None) -> ModuleSpec | None:
        return spec_from_loader(name, self) if name == self._mutant.module else None

    def get_filename(self, fullname: str) -> str:
        return fullname

    def get_data(self, _: str | bytes) -> bytes:
        return self._mutant.source.encode()


def _other_values(value: object) -> tuple[int | str | bytes, ...]:
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return value - 1, value + 1
    return (value * 2,) if isinstance(value, str | bytes) else ()


def _constants(tree: ast.Module) -> Iterator[ast.Constant]:
    """What comparisons compare with: constants in them, and in the values of the module's names in them."""
    parts = [part for node in ast.walk(tree) if isinstance(node, ast.Compare) for part in ast.walk(node)]
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    for node in tree.body:
        if isinstance(node, ast.Assign) and names & {ast.unparse(target) for target in node.targets}:
            parts += ast.walk(node.value)
    yield from {id(part): part for part in parts if isinstance(part, ast.Constant)}.values()


def _changes(tree: ast.Module) -> Iterator[int]:
    """Make one change after another, each undone when the next is asked for; the line of each."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for position, operator in enumerate(node.ops):
                for other in _OTHER_OPERATORS[type(operator)]:
                    node.ops[position] = other()
                    yield node.lineno
                node.ops[position] = operator
        elif isinstance(node, ast.BoolOp):
            before, node.op = node.op, ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield node.lineno
            node.op = before
        elif isinstance(node, ast.If | ast.IfExp):
            test, node.test = node.test, ast.UnaryOp(ast.Not(), node.test)
            yield node.lineno
            node.test = test
    for constant in _constants(tree):
        value = constant.value
        for constant.value in _other_values(value):
            yield constant.lineno
        constant.value = value


def mutants(path: Path) -> Iterator[Mutant]:
    """All mutants of a module; the first is the module itself."""
    module = ".".join(path.relative_to(_ROOT).with_suffix("").parts)
    tree = ast.parse(path.read_text())
    before = ast.unparse(tree)
    yield Mutant(module, "", before)
    for line in _changes(tree):
        after = ast.unparse(tree)
        changed = set(after.splitlines()) - set(before.splitlines())
        yield Mutant(module, f"{path.relative_to(_ROOT)}:{line}: {' '.join(changed).strip()}", after)


def _tests(module: str) -> list[str]:
    """The test files that import a module, known answers last: they take the longest."""
    name = module.rpartition(".")[2]
    imported = re.compile(rf"crypto\.{name}\b|crypto import .*\b{name}\b|test_(known_)?{name}\b")
    found = [path for path in _TESTS.glob("test_*.py") if imported.search(path.read_text())]
    return [str(path) for path in sorted(found, key=lambda path: ("known" in path.name, path.name))]


def passes(mutant: Mutant) -> bool:
    """Whether the tests pass with the mutant; to be called once in a process."""
    sys.meta_path.insert(0, Importer(mutant))
    for descriptor in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    return pytest.main([*_OPTIONS, *_tests(mutant.module)]) == pytest.ExitCode.OK


def main() -> int:
    """Print the mutants that survive, and modules that do not pass as they are; 1 if there are any."""
    settings.register_profile("mutation", deadline=None, derandomize=True, database=None)
    settings.load_profile("mutation")
    tried = [mutant for path in _MODULES for mutant in mutants(path) if _tests(mutant.module)]
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
        passed = pool.map(passes, tried, 1)
    wrong = [mutant for mutant, right in zip(tried, passed, strict=True) if right != (not mutant.place)]
    for mutant in wrong:
        sys.stdout.write(f"{mutant.place or f'{mutant.module} itself does not pass'}\n")
    sys.stdout.write(
        f"{sum(bool(mutant.place) for mutant in tried)} mutants, {passed.count(False)} noticed\n"
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
