"""Lists of speech recognisers: SRILM, Kaldi, HyPoradise."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from langmodel.errors import InputError
from langmodel.nbest.format import LN_10, NBestFormat, read_number, shown_number
from langmodel.nbest.hypotheses import Hypothesis, Rescored

SRILM_MARKS = {"<s>", "</s>", "-pau-"}

MAX_JSON_LINES, MAX_JSON_CHARACTERS = 10_000_000, 64 * 2**20
"""Of a list that is one JSON value, and has to be read whole."""


class Srilm(NBestFormat):
    """`ascore lscore nwords w1 w2 …`, base 10; a file is one list (nbest-format(5)). lscore becomes new.

    <s>, </s> and pauses among the words stay in the list, but are no words to the model.
    """

    help = "SRILM: ascore lscore nwords w1 w2 ...; the new log10 replaces lscore"
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
                read_number(part, what, where)
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
        yield f"{acoustic} {shown_number(rescored.log_prob / LN_10)} {rest}"


class Utterance(NBestFormat):
    """`utterance words …`, a line for each hypothesis of an utterance; out as Kaldi's, `utterance cost`."""

    help = "utterance: utterance words ... in, several lines each; utterance and the negated ln p out"
    keeps_lm_apart = False
    references_have_ids = True

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        for number, line in enumerate(lines, start=1):
            id, *words = line.split() or [""]
            if not id:
                raise InputError(f"{name}:{number}: empty; expected utterance w1 w2 ...")
            yield Hypothesis(id, " ".join(words), (id,))

    def write(self, rescored: Rescored) -> Iterator[str]:
        score = rescored.log_prob if rescored.total is None else rescored.total
        yield f"{rescored.hypothesis.fields[0]} {shown_number(-score)}"

    def best(self, hypothesis: Hypothesis) -> str:
        return f"{hypothesis.list_id} {hypothesis.text}".rstrip()


class Kaldi(Utterance):
    """`utterance-N words …` in; `utterance-N cost` out, cost = -ln p, as Kaldi reads it."""

    help = "Kaldi: utterance-N words ... in, utterance-N and the negated ln p out"

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


class HyPoradise(NBestFormat):
    """A JSON list of objects with hypotheses (`input`) and their reference (`output`); out as JSON lines."""

    help = "hyporadise: a JSON list of {input: [hypotheses], output: reference} in, an object for each out"
    keeps_lm_apart = False
    holds_references = True

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        for number, row in enumerate(self._rows(lines, name), start=1):
            texts = row.get("input") if isinstance(row, dict) else None
            if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
                raise InputError(f"{name}: object {number} has no list of texts 'input'")
            reference = row.get("output")
            if not isinstance(reference, str | None):
                raise InputError(f"{name}: object {number}: the reference 'output' is not text")
            for text in texts:
                yield Hypothesis(str(number - 1), " ".join(text.split()), (text,), reference=reference)

    @staticmethod
    def _rows(lines: Iterable[str], name: str) -> list[Any]:
        text = "\n".join(islice(lines, MAX_JSON_LINES))
        try:
            if len(text) > MAX_JSON_CHARACTERS:
                raise InputError(f"{name}: over {MAX_JSON_CHARACTERS >> 20} Mi characters of JSON; split it")
            rows = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{name}: not JSON ({error})") from None
        if not isinstance(rows, list):
            raise InputError(f"{name}: not a JSON list of objects with input and output")
        return rows

    def write(self, rescored: Rescored) -> Iterator[str]:
        row: dict[str, Any] = {
            "list": rescored.hypothesis.list_id,
            "text": rescored.hypothesis.text,
            "log_prob": rescored.log_prob,
        }
        if rescored.total is not None:
            row["total"] = rescored.total
        yield json.dumps(row, ensure_ascii=False)
