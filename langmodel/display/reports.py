"""What a person wants to know about a corpus or a run, as text; imports no torch."""

from langmodel.text.corpus import Corpus
from langmodel.text.corpus_files import SPLITS
from langmodel.text.printable import printable
from langmodel.text.vocabulary import SPECIAL_TOKENS


def rows_as_text(rows: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {printable(value)}" for name, value in rows)


MANY_SHARDS = 10


def _in_shards(corpus: Corpus) -> str:
    """How many parts of a large corpus have a checksum of their own."""
    shards = sum(len(corpus.shards(name)) for name in SPLITS)
    return f", in {shards:,} shards with checksums" if shards >= MANY_SHARDS else ""


def corpus_report(corpus: Corpus) -> str:
    """Counts of every split, the vocabulary's edge, and how the text was cut."""
    header = f"{'':<10} {'documents':>10} {'sentences':>10} {'tokens':>12} {'UNK':>8} {'longest':>8}"
    lines = [header]
    for name in SPLITS:
        split = corpus.statistics[name]
        share = f"{split.unknown / split.tokens:.2%}" if split.tokens else "-"
        lines.append(
            f"{name:<10} {split.documents:>10,} {split.sentences:>10,} {split.tokens:>12,} "
            f"{share:>8} {split.longest_sentence:>8,}"
        )
    vocabulary = corpus.vocabulary
    rarest, count = vocabulary.words[-1], vocabulary.counts[-1]
    punkt = corpus.pipeline.punkt
    splitter = corpus.pipeline.sentences if punkt is None else f"Punkt ({punkt.origin})"
    rows = [
        (
            "vocabulary",
            f"{len(vocabulary):,} rows: {len(vocabulary.words):,} words of {corpus.types:,} "
            f"types, and {len(SPECIAL_TOKENS)} special tokens",
        ),
        ("rarest word", f"{rarest!r}, seen {count:,} time{'s' if count != 1 else ''}"),
        (
            "split by",
            f"{corpus.pipeline.tokenizer} tokenizer, sentences by {splitter}"
            + f", {corpus.pipeline.shown_case}",
        ),
        ("written to", f"{corpus.path}{_in_shards(corpus)}"),
    ]
    if not corpus.statistics["valid"].tokens:
        rows.append(("note", "no validation split; training is judged by its own loss"))
    return "\n".join(lines) + "\n" + rows_as_text(rows)
