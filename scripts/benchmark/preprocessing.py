"""Preprocessing beside what one would write with NLTK alone."""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from nltk.tokenize.destructive import NLTKWordTokenizer
from timing import Row, rate_row

from langmodel.text.paragraphs import passages as prose_passages
from langmodel.text.pipeline import Pipeline
from langmodel.text.preprocess import PreprocessConfig, preprocess
from langmodel.text.sentences import PUNKT_TRAINING_CHARACTERS, learn_punkt
from langmodel.text.sources import read_documents


def plain_nltk(passages: list[str]) -> int:
    """Learning Punkt, splitting, tokenizing and counting as one would write it with NLTK alone."""
    pipeline = Pipeline(punkt=learn_punkt(_beginning(passages)))
    tokenizer = NLTKWordTokenizer()
    counts: Counter[str] = Counter()
    for passage in passages:
        for sentence in pipeline.split_sentences(passage):
            counts.update(word.lower() for word in tokenizer.tokenize(sentence))
    return counts.total()


def _beginning(passages: list[str]) -> list[str]:
    """As much of the text as langmodel learns Punkt from."""
    characters = 0
    for count, passage in enumerate(passages, start=1):
        characters += len(passage)
        if characters > PUNKT_TRAINING_CHARACTERS:
            return passages[:count]
    return passages


def preprocessing(text: str) -> Iterator[Row]:
    passages = [p for document in read_documents(text) for p in prose_passages(document.lines, "punkt")]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "text.txt"
        source.write_text("\n".join(passages), encoding="utf-8")

        start = time.perf_counter()
        words = plain_nltk(passages)
        theirs = time.perf_counter() - start
        for workers in (1, 2):
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                list(pool.map(abs, range(workers)))
                start = time.perf_counter()
                config = PreprocessConfig(sentences="punkt")
                preprocess([str(source)], Path(folder) / "c", config, executor=pool if workers > 1 else None)
                ours = time.perf_counter() - start
            name = f"preprocess, {workers} worker{'s' if workers > 1 else ''}, beside the NLTK loop"
            yield rate_row(name, "words/s", words, (ours, theirs, theirs / ours))
