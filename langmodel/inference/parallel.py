"""Lines scored by several processes, each with the model and a share of the cores."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from langmodel.inference.language_model import LanguageModel, load
from langmodel.inference.results import SentenceScore
from langmodel.inference.scoring import BLOCK_SENTENCES
from langmodel.inference.wording import ScoredLine, sentence_score
from langmodel.network.device import prepare_cpu
from langmodel.processes import AHEAD, in_order, process_pool
from langmodel.text.vocabulary import Vocabulary

_model: LanguageModel | None = None
"""Of this process, once it is a worker."""


def score_in_processes(
    path: Path,
    lines: Iterable[str],
    vocabulary: Vocabulary,
    *,
    workers: int,
    threads: int,
    detail: str,
    network_only: bool,
) -> Iterator[SentenceScore]:
    """A score for every line, each from the zero state, in order; `threads` are those of each process.

    Lines go out in the blocks in which one process would score them, so that with as many threads the numbers
    are the same to the bit. Raises LangModelError if a process dies.
    """
    with process_pool(workers, _prepare, path, threads, network_only) as pool:
        blocks = ((block, detail) for block in _blocks(lines))
        for scores in in_order(pool, AHEAD * workers, _score, blocks):
            yield from (sentence_score(line, vocabulary) for line in scores)


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(lines)
    while block := list(islice(rest, BLOCK_SENTENCES)):
        yield block


def _prepare(path: Path, threads: int, network_only: bool) -> None:
    global _model
    prepare_cpu(threads)
    _model = load(path, network_only=network_only)


def _score(work: tuple[list[str], str]) -> list[ScoredLine]:
    lines, detail = work
    assert _model is not None
    return list(_model.scored_lines(lines, "sentence", detail=detail))
