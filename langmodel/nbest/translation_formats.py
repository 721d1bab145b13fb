"""Lists of translation systems: Moses, Marian, nematus, fairseq, OpenNMT-py."""

import re
from collections.abc import Iterable, Iterator, Sequence

from langmodel.errors import InputError
from langmodel.nbest.format import LN_2, NBestFormat, read_number, shown_number
from langmodel.nbest.hypotheses import Hypothesis, Rescored

FEATURE = re.compile(r"(?:^|\s)(?!WordScores=)\S*[A-Za-z]\S*[=:](?=\s|$)")
"""A feature's name, in a column of names and values."""

SEGMENT = re.compile(r"\|\d+(?:-\d+)?\|")
"""Moses's mark of the source words that a phrase comes from, among the words with -t."""

FAIRSEQ_LINE = re.compile(r"[A-Z]-\S+\t")


class Moses(NBestFormat):
    """`id ||| text ||| Name= v … ||| total`, natural log. `LangModel= v` is added, the total redone.

    Columns of alignments and of word scores are kept. Without features, three columns are nematus's, and the
    third is a cost; LangModel= follows as a fourth. Where another model's is there already, the name is
    `LangModel2`, and so on. Phrases' marks (|0-1|) stay in the list, but are no words to the model.
    """

    help = "Moses, Marian, nematus: id ||| text ||| features ||| total; LangModel= ln p is added"
    keeps_lm_apart = False

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        columns = 0
        for number, line in enumerate(lines, start=1):
            where = f"{name}:{number}"
            parts = [part.strip() for part in line.split("|||")]
            if len(parts) < 3:
                raise InputError(
                    f"{where}: {len(parts)} columns; expected id ||| text ||| features ||| total"
                )
            columns = columns or len(parts)
            if len(parts) != columns:
                raise InputError(f"{where}: {len(parts)} columns, but {columns} in the lines above")
            total = self._total_column(parts, where)
            own = read_number(parts[total], "the total", where)
            if total == 2:
                own = -own
            text = " ".join(word for word in parts[1].split() if not SEGMENT.fullmatch(word))
            yield Hypothesis(parts[0], text, tuple(parts), own)

    @staticmethod
    def _features_column(parts: Sequence[str]) -> int | None:
        """The first column of named values; else the third of four, whatever it holds."""
        named = (at for at in range(2, len(parts)) if FEATURE.search(parts[at]))
        return next(named, 2 if len(parts) == 4 else None)

    def _total_column(self, parts: Sequence[str], where: str) -> int:
        features = self._features_column(parts)
        if features is None and len(parts) > 3:
            raise InputError(f"{where}: no column of features (Name= value) among {len(parts)}")
        if features is None or (features == 3 and len(parts) == 4):
            return 2
        if features == len(parts) - 1:
            raise InputError(f"{where}: {len(parts)} columns; expected id ||| text ||| features ||| total")
        return features + 1

    def write(self, rescored: Rescored) -> Iterator[str]:
        parts = list(rescored.hypothesis.fields)
        features = self._features_column(parts)
        total = self._total_column(parts, "")
        if features is None:
            parts.append("")
            features = len(parts) - 1
        number, name = 1, "LangModel="
        while name in parts[features].split():
            number += 1
            name = f"LangModel{number}="
        parts[features] = f"{parts[features]} {name} {shown_number(rescored.log_prob)}".strip()
        if rescored.total is not None:
            parts[total] = shown_number(-rescored.total if total == 2 else rescored.total)
        yield " ||| ".join(parts)


class Fairseq(NBestFormat):
    """fairseq-generate's lines `H-id\\tscore\\ttext`, base 2, among S-, T-, D-, P- and other lines.

    Lines of other kinds stay where they are. The score is a mean over the tokens that were generated. What is
    put together is their sum: that of the P- line, which has each token's score; without one, the mean times
    the words and END.
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
            elif kind in ("S", "T", "W") or entry is None:
                head.append(line)
            else:
                tail.append(line)
        tail += head
        if entry is None and tail:
            raise InputError(f"{name}: no line of a hypothesis (H-id, score and text) in it")
        yield from made()

    @staticmethod
    def _sum(fields: tuple[str, ...], after: Sequence[str], where: str) -> tuple[float, int]:
        """The whole hypothesis's natural-log score, and how many tokens it is the sum of."""
        mean = read_number(fields[1], "the score", where) * LN_2
        for line in after:
            if line.startswith("P-"):
                parts = [read_number(part, "a P- score", where) for part in line.split("\t")[-1].split()]
                return sum(parts) * LN_2, max(1, len(parts))
        tokens = len(fields[2].split()) + 1
        return mean * tokens, tokens

    def write(self, rescored: Rescored) -> Iterator[str]:
        name, score, text, tokens = rescored.hypothesis.fields
        if rescored.total is not None:
            score = shown_number(rescored.total / LN_2 / int(tokens))
        yield f"{name}\t{score}\t{text}"
        yield f"L{name[1:]}\t{shown_number(rescored.log_prob / LN_2)}"
        yield from rescored.hypothesis.after


class OpenNMT(NBestFormat):
    """`group` lines for every source: text, or text and a natural-log score after a tab (`--with_score`).

    ln p is written after what the line has; put together, the total stands in the score's place.
    """

    help = (
        "OpenNMT-py: bare lines, --group N for each source, perhaps with a score; ln p is added after a tab"
    )
    keeps_lm_apart = False

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        if group is None:
            raise InputError(
                f"{name}: it does not say how many of its lines belong to one source; add --group N"
            )
        columns = number = 0
        for number, line in enumerate(lines, start=1):
            where = f"{name}:{number}"
            parts = line.split("\t")
            columns = columns or len(parts)
            if len(parts) > 2 or len(parts) != columns:
                raise InputError(f"{where}: {len(parts)} columns; expected {min(columns, 2)} in every line")
            own = read_number(parts[1], "the score", where) if len(parts) == 2 else 0.0
            yield Hypothesis(str((number - 1) // group), parts[0], tuple(parts), own)
        if number % group:
            raise InputError(f"{name}: {number} lines are not a multiple of --group {group}")

    def write(self, rescored: Rescored) -> Iterator[str]:
        if rescored.total is None:
            yield "\t".join([*rescored.hypothesis.fields, shown_number(rescored.log_prob)])
        else:
            yield f"{rescored.hypothesis.text}\t{shown_number(rescored.total)}"
