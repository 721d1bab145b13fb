"""N-best lists as other programs write them: lines -> hypotheses, and hypotheses -> lines with a new score.

One class and one entry in NBEST_FORMATS each. Nothing is guessed: the format is named by who calls.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from langmodel.errors import InputError
from langmodel.nbest.hypotheses import Hypothesis, Rescored

LN_2, LN_10 = math.log(2), math.log(10)

SRILM_MARKS = {"<s>", "</s>", "-pau-"}

FAIRSEQ_LINE = re.compile(r"[A-Z]-\S+\t")
FAIRSEQ_REMARK = re.compile(r"^Generate |\| (INFO|WARNING) \|")

IMPOSSIBLE = -1e30
"""What -inf becomes: as hopeless, but 0 times it is 0."""


class NBestFormat(Protocol):
    """How one program writes its lists."""

    help: str
    keeps_lm_apart: bool
    """Whether the list's own language model score stands by itself, so that it can be replaced."""
    references_have_ids: bool = False
    """Whether references begin with the name of their list."""

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        """Raises InputError, naming file, line and reason, for what is not in this format."""
        ...

    def write(self, rescored: Rescored) -> Iterator[str]: ...

    def best(self, hypothesis: Hypothesis) -> str:
        """The line of a hypothesis that stands for its whole list."""
        return hypothesis.text


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


class Srilm(NBestFormat):
    """`ascore lscore nwords w1 w2 …`, base 10; a file is one list (nbest-format(5)). lscore becomes new.

    <s>, </s> and pauses among the words stay in the list, but are no words to the model.
    """

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
            spoken = [word for word in words if word not in SRILM_MARKS]
            if not len(spoken) <= count <= len(words) and words:
                raise InputError(f"{where}: nwords is {parts[2]}, but {len(words)} words follow")
            fields = (parts[0], " ".join(parts[2:]))
            yield Hypothesis(name, " ".join(spoken), fields, ascore * LN_10, lscore * LN_10)

    def write(self, rescored: Rescored) -> Iterator[str]:
        acoustic, rest = rescored.hypothesis.fields
        yield f"{acoustic} {_shown(rescored.log_prob / LN_10)} {rest}"


class Moses(NBestFormat):
    """`id ||| text ||| Name= v … ||| total`, natural log. `LangModel= v` is added, the total redone.

    Where another model's is there already, the name is `LangModel2`, and so on.
    """

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
        number, name = 1, "LangModel="
        while name in features.split():
            number += 1
            name = f"LangModel{number}="
        features = f"{features} {name} {_shown(rescored.log_prob)}".strip()
        if rescored.total is not None:
            total = _shown(rescored.total)
        yield " ||| ".join([id, text, features, total, *rest])


class Fairseq(NBestFormat):
    """fairseq-generate's lines `H-id\\tscore\\ttext`, base 2, among S-, T-, D-, P- and other lines.

    The score is a mean over the tokens that were generated. What is put together is their sum: that of the
    P- line, which has each token's score; without one, the mean times the words and END.
    """

    help = "fairseq: H-id lines with score (base 2, a mean) and text among others; a line L-id is added"
    keeps_lm_apart = False

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        head: list[str] = []
        entry: tuple[str, tuple[str, ...]] | None = None
        tail: list[str] = []
        before: tuple[str, ...] = ()

        def made() -> Iterator[Hypothesis]:
            if entry is not None:
                place, fields = entry
                own, tokens = self._sum(fields, tail, place)
                id, text = fields[0][2:], fields[2]
                kept = (*fields, str(tokens))
                yield Hypothesis(id, text, kept, own=own, before=before, after=tuple(tail))

        for number, line in enumerate(lines, start=1):
            where = f"{name}:{number}"
            kind = line[0] if FAIRSEQ_LINE.match(line) else ""
            if kind == "H":
                yield from made()
                parts = line.split("\t")
                if len(parts) != 3:
                    raise InputError(
                        f"{where}: {len(parts)} columns; expected H-id, score and text with tabs between"
                    )
                entry, before = (where, tuple(parts)), tuple(head)
                head, tail = [], []
            elif not (kind or line.isspace() or not line or FAIRSEQ_REMARK.search(line)):
                raise InputError(f"{where}: {line[:40]!r} is no line of fairseq-generate, as H-id is")
            elif kind in ("S", "T", "W") or entry is None:
                head.append(line)
            else:
                tail.append(line)
        tail += head
        yield from made()

    @staticmethod
    def _sum(fields: tuple[str, ...], after: Sequence[str], where: str) -> tuple[float, int]:
        """The whole hypothesis's natural-log score, and how many tokens it is the sum of."""
        mean = _number(fields[1], "the score", where) * LN_2
        for line in after:
            if line.startswith("P-"):
                parts = [_number(part, "a P- score", where) for part in line.split("\t")[-1].split()]
                return sum(parts) * LN_2, max(1, len(parts))
        tokens = len(fields[2].split()) + 1
        return mean * tokens, tokens

    def write(self, rescored: Rescored) -> Iterator[str]:
        name, score, text, tokens = rescored.hypothesis.fields
        if rescored.total is not None:
            score = _shown(rescored.total / LN_2 / int(tokens))
        yield f"{name}\t{score}\t{text}"
        yield f"L{name[1:]}\t{_shown(rescored.log_prob / LN_2)}"
        yield from rescored.hypothesis.after


class OpenNMT(NBestFormat):
    """`group` lines for every source: text, or text and a natural-log score after a tab (`--with_score`).

    ln p is written after what the line has; put together, the total stands in the score's place.
    """

    help = (
        "OpenNMT-py: bare lines, --group N of them a source, perhaps with a score; ln p is added after a tab"
    )
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
        if rescored.total is None:
            yield "\t".join([*rescored.hypothesis.fields, _shown(rescored.log_prob)])
        else:
            yield f"{rescored.hypothesis.text}\t{_shown(rescored.total)}"


class Kaldi(NBestFormat):
    """`utterance-N words …` in; `utterance-N cost` out, cost = -ln p, as Kaldi reads it."""

    help = "Kaldi: utterance-N words ... in, utterance-N and the negated ln p out"
    keeps_lm_apart = False
    references_have_ids = True

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        seen: set[str] = set()
        for number, line in enumerate(lines, start=1):
            id, *words = line.split() or [""]
            if id in seen:
                raise InputError(f"{name}:{number}: {id!r} is there twice; Kaldi's tables have each key once")
            seen.add(id)
            utterance, dash, rank = id.rpartition("-")
            if not (utterance and dash and rank.isdecimal()):
                raise InputError(f"{name}:{number}: {id!r} is no utterance-N; expected utterance-N w1 w2 ...")
            yield Hypothesis(utterance, " ".join(words), (id,))

    def write(self, rescored: Rescored) -> Iterator[str]:
        score = rescored.log_prob if rescored.total is None else rescored.total
        yield f"{rescored.hypothesis.fields[0]} {_shown(-score)}"

    def best(self, hypothesis: Hypothesis) -> str:
        return f"{hypothesis.list_id} {hypothesis.text}".rstrip()


NBEST_FORMATS: dict[str, NBestFormat] = {
    "srilm": Srilm(),
    "moses": Moses(),
    "fairseq": Fairseq(),
    "opennmt": OpenNMT(),
    "kaldi": Kaldi(),
}
