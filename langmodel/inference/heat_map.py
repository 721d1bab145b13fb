"""Sentences as HTML, each word on a ground that is the darker, the more it surprised the model.

A fragment without scripts, for a notebook or as a part of a page. All text is escaped.
"""

from collections.abc import Iterable
from html import escape
from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langmodel.inference.results import SentenceScore, WordScore

DARKEST_BITS = 16.0
"""Surprisal from which a word's ground is as dark as it gets."""

LIGHT, DARK = (247, 251, 255), (8, 48, 107)
"""The ends of the scale: one hue, so that lightness alone carries the meaning."""

NIGHT = ((22, 27, 34), (158, 202, 255))
"""The same on a dark page."""

RANKS = ((10, "r10"), (100, "r100"), (1_000, "r1000"))
"""As in GLTR (Gehrmann et al. 2019): the class of a word among so many likeliest."""

STYLE = """
.lm{font:1rem/2.1 system-ui,sans-serif;max-width:60rem}
.lm p{margin:.4rem 0}
.lm .w{position:relative;border-radius:.2rem;padding:.1rem .15rem;cursor:default}
.lm .w:focus{outline:2px solid #d55e00}
.lm .oov{text-decoration:underline wavy}
.lm .tip{display:none;position:absolute;left:0;top:1.7rem;z-index:9;background:#fff;color:#111;
border:1px solid #888;border-radius:.3rem;padding:.4rem .6rem;font-size:.8rem;line-height:1.35;
white-space:pre;box-shadow:0 2px 8px #0004}
.lm .w:hover>.tip,.lm .w:focus>.tip{display:block}
.lm .scale{display:inline-block;width:12rem;height:.8rem;vertical-align:middle;border:1px solid #888}
.lm .legend{font-size:.85rem}
.lm.by-rank .w{background:#cc79a7!important;color:#111!important}
.lm.by-rank .w.r1000{background:#e69f00!important}.lm.by-rank .w.r100{background:#f0e442!important}
.lm.by-rank .w.r10{background:#a8dcc8!important}
.lm .ranks{display:none}.lm.by-rank .ranks{display:inline}.lm.by-rank .bits{display:none}
.lm .key{padding:.05rem .4rem;color:#111;border-radius:.2rem}
"""


def ground(bits: float) -> tuple[int, int, int]:
    """The colour for a surprisal, sRGB."""
    share = min(1.0, max(0.0, bits / DARKEST_BITS))
    red, green, blue = (round(low + share * (high - low)) for low, high in zip(LIGHT, DARK, strict=True))
    return red, green, blue


def ink(colour: tuple[int, int, int]) -> str:
    """Black or white, whichever is read better on it."""
    red, green, blue = colour
    return "#111" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#fff"


def legend() -> str:
    """What the colours mean, for both ways of colouring."""
    stops = ",".join("rgb({},{},{})".format(*ground(DARKEST_BITS * step / 8)) for step in range(9))
    return (
        '<p class="legend"><span class="bits">surprisal: 0 bits <span class="scale" style="background:'
        f'linear-gradient(to right,{stops})"></span> {DARKEST_BITS:g} bits and more</span>'
        '<span class="ranks">rank: <span class="key" style="background:#a8dcc8">top 10</span> '
        '<span class="key" style="background:#f0e442">top 100</span> '
        '<span class="key" style="background:#e69f00">top 1,000</span> '
        '<span class="key" style="background:#cc79a7">beyond</span></span>'
        " · <span class=oov>underlined</span>: unknown to the model</p>"
    )


def fragment(scores: "Iterable[SentenceScore]", *, with_legend: bool = True) -> str:
    """A paragraph for every sentence, END (</s>) shown as ¶."""
    paragraphs = "\n".join(sentence(score) for score in scores)
    return f"<style>{STYLE}</style><div class=lm>{legend() if with_legend else ''}\n{paragraphs}\n</div>"


def sentence(score: "SentenceScore") -> str:
    words = " ".join(_word(word, word.word) for word in score.words[:-1])
    end = _word(score.words[-1], "¶")
    return f"<p>{words} {end}</p>"


def _word(word: "WordScore", shown: str) -> str:
    colour = ground(word.surprisal)
    classes = ["w", *(["oov"] if word.oov else [])]
    if word.rank is not None:
        classes += [name for most, name in RANKS if word.rank <= most][:1]
    style = "background:rgb({},{},{});color:{}".format(*colour, ink(colour))
    tip = escape("\n".join(_facts(word)))
    return (
        f'<span class="{" ".join(classes)}" tabindex=0 style="{style}" aria-label="{escape(word.word)}, '
        f'{word.surprisal:.1f} bits">{escape(shown)}<span class=tip role=tooltip>{tip}</span></span>'
    )


def _facts(word: "WordScore") -> Iterable[str]:
    yield f"{word.surprisal:.2f} bits{' (as an unknown word)' if word.oov else ''}"
    if word.rank is not None:
        yield f"rank {word.rank:,}"
    if word.entropy is not None:
        yield f"entropy {word.entropy / log(2):.2f} bits"
    if word.expected:
        yield "expected:"
        for other in word.expected:
            yield f"{other.probability:7.2%}  {other.word}"
