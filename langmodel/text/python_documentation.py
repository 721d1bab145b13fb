"""The built-in corpus: the English prose that ships inside the running Python.

Modules are read as text and parsed with `ast`; none is imported.
"""

import ast
import importlib.util
import inspect
import re
import sys
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

SKIPPED_FOLDERS = frozenset({"test", "tests", "idle_test", "site-packages", "__pycache__", "_vendor"})

SENTENCE_END = re.compile(r"[.?!:][\"')\]]*$")
WORD = re.compile(r"[A-Za-z][a-z]+(?:['-][a-z]+)*[,.;:?!)\"']*$")
SIGNATURE = re.compile(r"^[\w.\[\]]+\s*\(.*\)(\s*->.*)?$|\w\(.*=.*\)")
LIST_MARKER = re.compile(r"^(?:[-*•+]|\d+[.)])\s+")
HEADING_RULE = re.compile(r"^([^\w\s])\1{2,}$")
MARKUP = re.compile(r":\w+(?::\w+)*:`|[*`]+|\|")
MIN_WORDS = 6
MIN_ENGLISH_SHARE = 0.75


def documentation(packages: Iterable[str] = ()) -> Iterator[tuple[str, list[str]]]:
    """(name, prose lines) of the language reference and of each documented module of the standard
    library; then of the installed `packages`.

    A line is a paragraph; a blank line follows each. Raises ModuleNotFoundError for an unknown package.
    """
    roots = [(name, _package_files(name)) for name in packages]
    library = Path(sysconfig.get_path("stdlib"))
    for name, text in sorted(_topics(library / "pydoc_data" / "topics.py").items()):
        lines = list(_prose(text))
        if lines:
            yield f"topics/{name}", lines
    seen: set[str] = set()
    for top in sorted(sys.stdlib_module_names):
        path = library / top
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        yield from _documented(library, files, seen)
    for _, (root, files) in roots:
        yield from _documented(root, files, seen)


def _package_files(name: str) -> tuple[Path, list[Path]]:
    try:
        is_module = name.isidentifier() and name != "__main__"  # which is langmodel, or pytest
        spec = importlib.util.find_spec(name) if is_module else None
    except ValueError:  # a module that was not imported by its name
        spec = None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise ModuleNotFoundError(f"no installed Python package {name!r}")
    origin = Path(spec.origin)
    if origin.name != "__init__.py":
        return origin.parent, [origin]
    return origin.parent.parent, sorted(origin.parent.rglob("*.py"))


def _documented(root: Path, files: Iterable[Path], seen: set[str]) -> Iterator[tuple[str, list[str]]]:
    for file in files:
        parts = file.relative_to(root).parts
        if not file.is_file() or SKIPPED_FOLDERS.intersection(parts) or parts[0] == "pydoc_data":
            continue
        lines: list[str] = []
        for docstring in _docstrings(file):
            for paragraph in _prose(docstring):
                if paragraph and paragraph in seen:
                    continue
                seen.add(paragraph)
                lines.append(paragraph)
        if any(lines):
            yield ".".join(parts).removesuffix(".py").removesuffix(".__init__"), lines


def _parse(file: Path) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in other people's docstrings
        return ast.parse(file.read_bytes())


def _topics(file: Path) -> dict[str, str]:
    """The texts behind `help("TOPIC")`: the language reference, in English prose."""
    for node in _parse(file).body if file.is_file() else ():
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            return dict(ast.literal_eval(node.value))
    return {}


def _docstrings(file: Path) -> Iterator[str]:
    try:
        tree = _parse(file)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            if docstring:
                yield inspect.cleandoc(docstring)


def _prose(text: str) -> Iterator[str]:
    """The paragraphs of `text` that read as English, each followed by a blank line.

    Left out: doctests, signatures, headings, tables, and blocks indented under a paragraph that ends
    in `::` or stands further left, unless they read as prose themselves.
    """
    after_code_mark = False
    mark_indent = 0
    for block in re.split(r"\n\s*\n", text.expandtabs()):
        lines = [line for line in block.split("\n") if line.strip()]
        if not lines:
            continue
        indent = min(len(line) - len(line.lstrip()) for line in lines)
        if after_code_mark and indent > mark_indent:
            continue
        after_code_mark = lines[-1].rstrip().endswith("::")
        mark_indent = indent
        for item in _items(line.strip() for line in lines):
            paragraph = MARKUP.sub("", item).strip()
            if _reads_as_english(paragraph):
                yield paragraph
                yield ""


def _items(lines: Iterable[str]) -> Iterator[str]:
    """Joins wrapped lines; a list marker starts a new item, and a doctest drops the whole block."""
    item: list[str] = []
    for line in lines:
        if line.startswith((">>>", "...", "$ ", ".. ")):
            return
        if HEADING_RULE.match(line) or SIGNATURE.match(line):
            item = []
            continue
        if LIST_MARKER.match(line) and item:
            yield " ".join(item)
            item = []
        item.append(LIST_MARKER.sub("", line))
    if item:
        yield " ".join(item)


def _reads_as_english(paragraph: str) -> bool:
    words = paragraph.split()
    if len(words) < MIN_WORDS or not SENTENCE_END.search(paragraph) or not paragraph[0].isalpha():
        return False
    english = sum(1 for word in words if WORD.match(word) or word in ("a", "I", "A"))
    return english >= MIN_ENGLISH_SHARE * len(words)
