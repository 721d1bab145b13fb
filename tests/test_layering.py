"""Text flows down: a room imports only from rooms above it, and inference knows nothing of training."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "langmodel"

ROOMS = [
    "errors",
    "cores",
    "configuration",
    "intervals",
    "processes",
    "text",
    "nbest",
    "ngrams",
    "network",
    "storage",
    "training",
    "inference",
    "classification",
    "reference",
    "formats",
    "display",
    "runs",
    "web",
    "cli",
]

MAY_IMPORT = {room: set(ROOMS[: index + 1]) for index, room in enumerate(ROOMS)}
MAY_IMPORT["inference"].remove("training")
MAY_IMPORT["reference"] -= {"training", "cli"}


def imported_modules(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


FILES = sorted(file for file in PACKAGE.rglob("*.py") if file.parent != PACKAGE or file.stem in ROOMS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_only_from_rooms_above_it(file: Path):
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    allowed = MAY_IMPORT[parts[0]] | {"__version__"}
    rooms = {name.split(".")[1] for name in imported_modules(file) if name.startswith("langmodel.")}
    assert rooms <= allowed, f"{file} imports {sorted(rooms - allowed)}"


@pytest.mark.parametrize("file", sorted((PACKAGE / "text").glob("*.py")), ids=lambda file: file.name)
def test_text_imports_no_torch(file: Path):
    assert not {name for name in imported_modules(file) if name.split(".")[0] in ("torch", "safetensors")}


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda f: str(f.relative_to(PACKAGE)))
def test_a_function_fits_on_a_screen(file: Path):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first, *rest = node.body
            begins = rest[0] if rest and isinstance(first, ast.Expr) else first  # after the docstring
            lines = node.body[-1].end_lineno - begins.lineno + 1
            assert lines <= 60, f"{node.name} has {lines} lines"


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_import_langmodel_and_help_load_neither_torch_nor_nltk():
    help_of_train = (
        "from langmodel.cli.main import run; import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()): run(['--help']), run(['train', '--help'])"
    )
    for statement in ("import langmodel", help_of_train):
        assert not {"torch", "nltk"} & loaded_by(statement)


def test_training_does_not_load_nltk():
    assert "nltk" not in loaded_by("import langmodel.runs.run_directory")
