"""No code in data: nothing in the package can turn bytes into behaviour."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "langmodel"

FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "shelve",
    "marshal",
    "yaml",
    "subprocess",
    "cloudpickle",
    "joblib",
}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "os.system", "os.popen"}
FORBIDDEN_CALLS |= {f"builtins.{name}" for name in ("eval", "exec", "compile", "__import__")}
FORBIDDEN_NAMES = {
    ("os", "system"),
    ("os", "popen"),
    ("torch", "load"),
    ("builtins", "eval"),
    ("builtins", "exec"),
}
"""By `from module import name`, under which a call could hide."""


def call_name(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def loads_weights_only(node: ast.Call) -> bool:
    """torch.load's mode that builds tensors and runs nothing."""
    return any(
        keyword.arg == "weights_only"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
        for keyword in node.keywords
    )


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda f: str(f.relative_to(PACKAGE)))
def test_no_module_loads_or_runs_code_from_data(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & FORBIDDEN_MODULES
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in FORBIDDEN_MODULES
            assert not {(node.module, alias.name) for alias in node.names} & FORBIDDEN_NAMES
        elif isinstance(node, ast.Call):
            if call_name(node) != "torch.load" or not loads_weights_only(node):
                assert call_name(node) not in FORBIDDEN_CALLS
            for keyword in node.keywords:
                truth = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
                assert not (keyword.arg in ("allow_pickle", "shell") and truth)
