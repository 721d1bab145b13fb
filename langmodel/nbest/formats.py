"""N-best lists as other programs write them: lines -> hypotheses, and hypotheses -> lines with a new score.

One class and one entry in NBEST_FORMATS each. Nothing is guessed: the format is named by who calls.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from langmodel.errors import InputError

LN_2, LN_10 = math.log(2), math.log(10)

IMPOSSIBLE = -1e30
"""What -inf becomes: as hopeless, but 0 times it is 0."""


@dataclass(frozen=True)
class Hypothesis:
    """One entry of a list. Scores are natural logs, whatever the format's own base."""

    list_id: str
    text: str
    fields: tuple[str, ...]
    """The line's parts, as its format needs them to write it again."""
    own: float = 0.0
    """The list's own score: without the language model's part, where a format keeps that apart."""
    own_lm: float = 0.0
    """The language model's part, where a format keeps it apart."""
    before: tuple[str, ...] = ()
    """Lines that stand in front of the entry and belong to its list."""
    after: tuple[str, ...] = ()
    """Lines that follow the entry and belong to it."""

    @property
    def words(self) -> int:
        return len(self.text.split())


@dataclass(frozen=True)
class Rescored:
    """A hypothesis with what the model says of it; natural logs."""

    hypothesis: Hypothesis
    log_prob: float
    """Of its words and END."""
    total: float | None
    """All scores put together; None: not asked for."""


class NBestFormat(Protocol):
    """How one program writes its lists."""

    help: str
    keeps_lm_apart: bool
    """Whether the list's own language model score stands by itself, so that it can be replaced."""

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        """Raises InputError, naming file, line and reason, for what is not in this format."""
        ...

    def write(self, rescored: Rescored) -> Iterator[str]: ...


def _number(text: str, what: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{where}: {what} is {text!r}, not a number") from None
    if math.isnan(value) or value == math.inf:
        raise InputError(f"{where}: {what} is {text!r}, no score")
    return max(value, IMPOSSIBLE)


def _shown(value: float) -> str:
    return f"{value:.6g}"


class Srilm:
    """`ascore lscore nwords w1 w2 …`, base 10; a file is one list (nbest-format(5)). lscore becomes new."""

    help = "SRILM: ascore lscore nwords w1 w2 ...; the new log10 takes lscore's place"
    keeps_lm_apart = True

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        for number, line in enumerate(lines, start=1):
            where = f"{name}:{number}"
            if line.startswith("NBestList"):
                raise InputError(
                    f"{where}: {line.split()[0]} has bytelog scores; convert it to SRILM's plain format"
                )
            parts = line.split()
            if len(parts) < 3:
                raise InputError(f"{where}: {len(parts)} fields; expected ascore lscore nwords w1 w2 ...")
            ascore, lscore, count = (
                _number(part, what, where)
                for part, what in zip(parts, ("ascore", "lscore", "nwords"), strict=False)
            )
            words = parts[3:]
            if count != len(words) and words:
                raise InputError(f"{where}: nwords is {parts[2]}, but {len(words)} words follow")
            yield Hypothesis(name, " ".join(words), (parts[0],), ascore * LN_10, lscore * LN_10)

    def write(self, rescored: Rescored) -> Iterator[str]:
        h = rescored.hypothesis
        yield f"{h.fields[0]} {_shown(rescored.log_prob / LN_10)} {h.words} {h.text}".rstrip()


class Moses:
    """`id ||| text ||| Name= v … ||| total`, natural log. `LangModel= v` is added, the total redone."""

    help = "Moses, Marian: id ||| text ||| features ||| total; LangModel= ln p is added to the features"
    keeps_lm_apart = False

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        columns = 0
        for number, line in enumerate(lines, start=1):
            where = f"{name}:{number}"
            parts = [part.strip() for part in line.split("|||")]
            if len(parts) < 4:
                raise InputError(
                    f"{where}: {len(parts)} columns; expected id ||| text ||| features ||| total"
                )
            columns = columns or len(parts)
            if len(parts) != columns:
                raise InputError(f"{where}: {len(parts)} columns, but {columns} in the lines above")
            own = _number(parts[3], "the total", where)
            yield Hypothesis(parts[0], parts[1], tuple(parts), own)

    def write(self, rescored: Rescored) -> Iterator[str]:
        id, text, features, total, *rest = rescored.hypothesis.fields
        features = f"{features} LangModel= {_shown(rescored.log_prob)}".strip()
        if rescored.total is not None:
            total = _shown(rescored.total)
        yield " ||| ".join([id, text, features, total, *rest])


class Fairseq:
    """fairseq-generate's lines `H-id\\tscore\\ttext`, base 2, among S-, T-, D- and P- lines."""

    help = "fairseq: H-id lines with score (base 2) and text among S-, T-, D-, P-; a line L-id is added"
    keeps_lm_apart = False

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        head: list[str] = []
        entry: tuple[str, str, tuple[str, ...], float] | None = None
        tail: list[str] = []
        before: tuple[str, ...] = ()

        def made() -> Iterator[Hypothesis]:
            if entry is not None:
                yield Hypothesis(*entry[:3], own=entry[3], before=before, after=tuple(tail))

        for number, line in enumerate(lines, start=1):
            where = f"{name}:{number}"
            kind, dash, _ = line.partition("-")
            if kind == "H" and dash:
                yield from made()
                parts = line.split("\t")
                if len(parts) != 3:
                    raise InputError(
                        f"{where}: {len(parts)} columns; expected H-id, score and text with tabs between"
                    )
                own = _number(parts[1], "the score", where) * LN_2
                entry, before = (parts[0][2:], parts[2], tuple(parts), own), tuple(head)
                head, tail = [], []
            elif kind in ("D", "P") and dash and entry is not None:
                tail.append(line)
            elif kind in ("S", "T") and dash:
                head.append(line)
            elif line.strip():
                raise InputError(f"{where}: {line[:40]!r} begins with none of S-, T-, H-, D-, P-")
        yield from made()

    def write(self, rescored: Rescored) -> Iterator[str]:
        name, score, text = rescored.hypothesis.fields
        if rescored.total is not None:
            score = _shown(rescored.total / LN_2)
        yield f"{name}\t{score}\t{text}"
        yield f"L{name[1:]}\t{_shown(rescored.log_prob / LN_2)}"
        yield from rescored.hypothesis.after


class OpenNMT:
    """`group` lines for every source: text, or text and a natural-log score after a tab (`--with_score`)."""

    help = "OpenNMT-py: bare lines, --group N of them a source, perhaps with a score after a tab"
    keeps_lm_apart = False

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        if group is None:
            raise InputError(
                f"{name}: how many lines belong to one source is not written in it; add --group N"
            )
        columns = number = 0
        for number, line in enumerate(lines, start=1):
            where = f"{name}:{number}"
            parts = line.split("\t")
            columns = columns or len(parts)
            if len(parts) > 2 or len(parts) != columns:
                raise InputError(f"{where}: {len(parts)} columns; expected {min(columns, 2)} in every line")
            own = _number(parts[1], "the score", where) if len(parts) == 2 else 0.0
            yield Hypothesis(str((number - 1) // group), parts[0], tuple(parts), own)
        if number % group:
            raise InputError(f"{name}: {number} lines are no multiple of --group {group}")

    def write(self, rescored: Rescored) -> Iterator[str]:
        score = rescored.log_prob if rescored.total is None else rescored.total
        yield f"{rescored.hypothesis.text}\t{_shown(score)}"


class Kaldi:
    """`utterance-N words …` in; `utterance-N cost` out, cost = -ln p, as Kaldi reads it."""

    help = "Kaldi: utterance-N words ... in, utterance-N and the negated ln p out"
    keeps_lm_apart = False

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        for number, line in enumerate(lines, start=1):
            id, *words = line.split() or [""]
            utterance, dash, rank = id.rpartition("-")
            if not (utterance and dash and rank.isdecimal()):
                raise InputError(f"{name}:{number}: {id!r} is no utterance-N; expected utterance-N w1 w2 ...")
            yield Hypothesis(utterance, " ".join(words), (id,))

    def write(self, rescored: Rescored) -> Iterator[str]:
        score = rescored.log_prob if rescored.total is None else rescored.total
        yield f"{rescored.hypothesis.fields[0]} {_shown(-score)}"


NBEST_FORMATS: dict[str, NBestFormat] = {
    "srilm": Srilm(),
    "moses": Moses(),
    "fairseq": Fairseq(),
    "opennmt": OpenNMT(),
    "kaldi": Kaldi(),
}


def lists(hypotheses: Sequence[Hypothesis]) -> list[list[int]]:
    """The places of each list's hypotheses, lists in the order in which they begin."""
    places: dict[str, list[int]] = {}
    for place, hypothesis in enumerate(hypotheses):
        places.setdefault(hypothesis.list_id, []).append(place)
    return list(places.values())
