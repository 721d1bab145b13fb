"""Run the code of docs/tutorial.md, block after block, in one namespace; figures land in ./figures.

cd docs && python ../scripts/run_tutorial.py
"""

import re
from pathlib import Path

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.md"


def blocks(text: str) -> list[tuple[int, str]]:
    """(line of the page, code) of every Python block."""
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [(text.count("\n", 0, match.start(1)), match[1]) for match in found]


def main() -> None:
    namespace: dict[str, object] = {}
    for line, code in blocks(TUTORIAL.read_text(encoding="utf-8")):
        # Newlines in front make the page's own line numbers appear in a traceback.
        exec(compile("\n" * line + code, str(TUTORIAL), "exec"), namespace)  # noqa: S102  (our own page)


if __name__ == "__main__":
    main()
