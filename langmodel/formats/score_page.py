"""`score --format html`: one self-contained page, sentence after sentence, each word coloured."""

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from langmodel.inference import heat_map
from langmodel.inference.results import SentenceScore

if TYPE_CHECKING:
    from langmodel.formats.score_style import Style

PAGE_STYLE = """
:root{color-scheme:light dark}
body{margin:1rem auto;max-width:62rem;padding:0 1rem;font-family:system-ui,sans-serif}
label{margin-right:1rem}
"""

SCRIPT = """
for (const radio of document.querySelectorAll('input[name=by]'))
  radio.addEventListener('change', () =>
    document.querySelector('.lm').classList.toggle('by-rank', radio.value === 'rank' && radio.checked));
"""


def html_page(scores: Iterator[SentenceScore], style: "Style") -> Iterator[str]:
    """The page, written as the scores come. It asks nothing of the network, and its text is escaped."""
    title = f"Surprisal of {escape('standard input' if style.file == '-' else style.file)}"
    yield (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><style>{PAGE_STYLE}{heat_map.STYLE}</style>"
    )
    yield (
        f"<h1>{title}</h1><p><label><input type=radio name=by value=bits checked> by surprisal</label>"
        "<label><input type=radio name=by value=rank> by rank</label> Point at a word, or move there with "
        "Tab, to see what was expected.</p>"
    )
    yield f"<div class=lm>{heat_map.legend()}"
    for score in scores:
        yield heat_map.sentence(score)
    yield f"</div><script>{SCRIPT}</script></html>"


def colored_line(score: SentenceScore) -> str:
    """The sentence's words for a terminal, on grounds as on the page (24-bit colour)."""
    shown = []
    for word in score.words[:-1]:
        colour = heat_map.ground(word.surprisal)
        red, green, blue = colour
        front = "17;17;17" if heat_map.ink(colour) == "#111" else "255;255;255"
        underline = "\x1b[4m" if word.oov else ""
        text = "".join(character if character.isprintable() else "\ufffd" for character in word.word)
        shown.append(f"\x1b[48;2;{red};{green};{blue}m\x1b[38;2;{front}m{underline}{text}\x1b[0m")
    return " ".join(shown)
