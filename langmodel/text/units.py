"""Sources -> passages, each with the split that it belongs to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from langmodel.text.passes import Passage
from langmodel.text.sentences import passages
from langmodel.text.sources import Reading, read_documents
from langmodel.text.splitting import BLOCK_CHARACTERS, HeldOut
from langmodel.text.watching import TextWatch


@dataclass
class Unit:
    """What is held out whole: a passage, or a document. One longer than a block is read as it is used."""

    texts: list[str]
    characters: int
    starts_document: bool = True
    rest: Iterator[str] | None = field(default=None)

    @property
    def is_endless(self) -> bool:
        return self.rest is not None

    def walk(self) -> Iterator[str]:
        for text in self.texts:
            yield text
        for text in self.rest or ():
            self.characters += len(text)
            yield text


def held_out_units(
    sources: Sequence[str],
    reading: Reading,
    sentences: str,
    dealer: HeldOut[Unit],
    watch: TextWatch,
    *,
    by_document: bool,
) -> Iterator[Passage]:
    """Every passage of the sources, dealt out to the splits, in the order of the text."""
    units = _units(sources, reading, sentences, watch, by_document)
    started: set[str] = set()
    for split, unit in dealer.deal(units):
        if unit.starts_document:
            started = set()
        for text in unit.walk():
            yield Passage(split, text, split not in started)
            started.add(split)


def passages_of(source: str, split: str, reading: Reading, sentences: str) -> Iterator[Passage]:
    """Every passage of one source, all for one split."""
    for document in read_documents(source, reading):
        starts = True
        for text in passages(document.lines, sentences):
            yield Passage(split, text, starts)
            starts = False


def _units(
    sources: Sequence[str], reading: Reading, sentences: str, watch: TextWatch, by_document: bool
) -> Iterator[Unit]:
    for document in chain.from_iterable(read_documents(source, reading) for source in sources):
        texts = passages(watch.seen(document.lines), sentences)
        if by_document:
            unit = _whole(texts)
            if unit.characters:
                yield unit
        else:
            for number, text in enumerate(texts):
                yield Unit([text], len(text), starts_document=number == 0)


def _whole(texts: Iterator[str]) -> Unit:
    unit = Unit([], 0)
    for text in texts:
        unit.texts.append(text)
        unit.characters += len(text)
        if unit.characters >= BLOCK_CHARACTERS:
            unit.rest = texts
            break
    return unit
