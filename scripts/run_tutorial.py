"""Run the code of docs/tutorial.md, block after block, as one program; figures land in ./figures.

cd docs && python ../scripts/run_tutorial.py
"""

import runpy
import tempfile
from pathlib import Path

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.md"


def program(page: str) -> str:
    """The page with everything but its Python left blank, so that a traceback gives the page's own lines."""
    lines, inside = [], False
    for line in page.splitlines():
        fence = line.startswith("```")
        lines.append(line if inside and not fence else "")
        inside = line == "```python" if fence else inside
    return "\n".join(lines) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tutorial.py"
        file.write_text(program(TUTORIAL.read_text(encoding="utf-8")), encoding="utf-8")
        runpy.run_path(str(file))


if __name__ == "__main__":
    main()
