"""Plant faults into a room of the package, one at a time, and count how many its tests find.

    python scripts/mutants.py text ngrams --sample 60 --seed 1

Comparisons, arithmetic, boolean operators, numbers and conditions are changed at random places of a copy.
For each fault, the tests that run its line are run until one fails. A fault that none finds is printed.
"""

import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import torch  # imported once, for all the processes that are forked from this one

from langmodel.intervals import wilson_interval

ROOT = Path(__file__).parent.parent

SECONDS = 120
"""A fault with which the tests take longer counts by itself, neither found nor missed."""

SWAPPED = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "/",
    ast.Mod: "//",
    ast.And: "or",
    ast.Or: "and",
    ast.BitAnd: "|",
    ast.BitOr: "&",
}


@dataclass(frozen=True)
class Fault:
    """`new` in place of some bytes of a file."""

    file: str
    """Within the package."""
    line: int
    start: int
    stop: int
    new: str

    def planted(self, source: bytes) -> bytes:
        return source[: self.start] + self.new.encode() + source[self.stop :]


class Planter(ast.NodeVisitor):
    """Every fault that can be planted into a file."""

    def __init__(self, file: str, source: bytes) -> None:
        self._file, self._source = file, source
        self._line_starts = [0]
        for line in source.splitlines(keepends=True):
            self._line_starts.append(self._line_starts[-1] + len(line))
        self.faults: list[Fault] = []
        self.visit(ast.parse(source))

    def _at(self, line: int | None, column: int | None) -> int:
        assert line is not None and column is not None
        return self._line_starts[line - 1] + column

    def _plant(self, node: ast.expr, start: int, stop: int, new: str) -> None:
        self.faults.append(Fault(self._file, node.lineno, start, stop, new))

    def _between(self, left: ast.expr, right: ast.expr, op: ast.AST) -> None:
        start = self._at(left.end_lineno, left.end_col_offset)
        stop = self._at(right.lineno, right.col_offset)
        between = self._source[start:stop].decode()
        if type(op) in SWAPPED and "#" not in between and not set(between) & set("()"):
            self._plant(left, start, stop, f" {SWAPPED[type(op)]} ")

    def visit_Compare(self, node: ast.Compare) -> None:
        self._between(node.left, node.comparators[0], node.ops[0])
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self._between(node.left, node.right, node.op)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self._between(node.values[0], node.values[1], node.op)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        start, stop = (
            self._at(node.lineno, node.col_offset),
            self._at(node.end_lineno, node.end_col_offset),
        )
        if isinstance(node.value, bool):
            self._plant(node, start, stop, str(not node.value))
        elif isinstance(node.value, int | float):
            more = node.value + 1
            self._plant(node, start, stop, repr(more if more != node.value else 2 * node.value))

    def _negate(self, test: ast.expr) -> None:
        start, stop = (
            self._at(test.lineno, test.col_offset),
            self._at(test.end_lineno, test.end_col_offset),
        )
        self._plant(test, start, stop, f"(not ({self._source[start:stop].decode()}))")

    def visit_If(self, node: ast.If) -> None:
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self._negate(node.test)
            self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:  # an annotation is no code
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in [*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]:
            self.visit(part)

    def visit_Raise(self, node: ast.Raise) -> None:
        """What a message says is not judged."""


def covering_tests(room: str, tests: list[str]) -> dict[tuple[str, int], list[str]]:
    """The tests that run each line of a room; none for what runs when a module is imported."""
    from coverage import CoverageData

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "coverage"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", *tests]
        command += [f"--cov={ROOT / 'langmodel' / room}", "--cov-context=test", "--cov-report="]
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "COVERAGE_FILE": str(data)}, stdout=subprocess.DEVNULL
        )
        found = CoverageData(str(data))
        found.read()
        return {
            (str(Path(file).relative_to(ROOT / "langmodel")), line): sorted(
                {context.partition("|")[0] for context in contexts if context}
            )
            for file in found.measured_files()
            for line, contexts in found.contexts_by_lineno(file).items()
        }


def outcome(copy: Path, tests: list[str]) -> str:
    """`found` by some test, `missed` by all, or `timed out`."""
    child = os.fork()
    if not child:
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        os.setsid()
        os.chdir(copy)
        sys.dont_write_bytecode = True  # two faults within a second may leave a file the same size
        for name in [name for name in sys.modules if name.partition(".")[0] == "langmodel"]:
            del sys.modules[name]
        sys.path.insert(0, str(copy))
        code = 1
        try:
            code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests])
        finally:
            os._exit(int(code))
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "missed" if status == 0 else "found"
        time.sleep(0.02)
    os.killpg(child, 9)
    os.waitpid(child, 0)
    return "timed out"


def faults_of(room: str) -> Iterator[Fault]:
    package = ROOT / "langmodel"
    for file in sorted((package / room).rglob("*.py")):
        yield from Planter(str(file.relative_to(package)), file.read_bytes()).faults


@click.command()
@click.argument("rooms", nargs=-1, required=True)
@click.option("--sample", default=60, show_default=True, help="Faults of each room.")
@click.option("--seed", default=1, show_default=True)
@click.option("--also", multiple=True, help="More tests, beside those of the room.")
def main(rooms: tuple[str, ...], sample: int, seed: int, also: tuple[str, ...]) -> None:
    torch.set_num_threads(1)
    for room in rooms:
        faults = list(faults_of(room))
        chosen = random.Random(seed).sample(  # noqa: S311  (nothing secret is drawn)
            faults, min(sample, len(faults))
        )
        covering = covering_tests(room, [f"tests/{room}", *also])
        counted = dict.fromkeys(("found", "missed", "timed out"), 0)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder)
            for name in ("langmodel", "tests"):
                shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            for name in ("pyproject.toml", "README.md", "docs", "scripts", "corpora"):
                (copy / name).symlink_to(ROOT / name)
            for fault in sorted(chosen, key=lambda fault: (fault.file, fault.start)):
                target = copy / "langmodel" / fault.file
                source = target.read_bytes()
                tests = covering.get((fault.file, fault.line)) or [f"tests/{room}", *also]
                target.write_bytes(fault.planted(source))
                result = outcome(copy, tests)
                target.write_bytes(source)
                counted[result] += 1
                if result != "found":
                    line = source.splitlines()[fault.line - 1].decode().strip()
                    place = f"{fault.file}:{fault.line}"
                    print(f"{result}: {place}: {line}  ->  {fault.new.strip()}", flush=True)
        low, high = wilson_interval(counted["found"], len(chosen))
        print(
            f"{room}: {counted['found']} of {len(chosen)} faults found "
            f"({counted['found'] / len(chosen):.1%}, interval {low:.1%} to {high:.1%}) "
            f"of {len(faults):,} that can be planted; {counted}",
            flush=True,
        )


if __name__ == "__main__":
    main()
