"""`langmodel tune-nbest`: weights for `rescore` that make the fewest word errors on a development list."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from langmodel.cli.nbest_scores import (
    format_option,
    group_option,
    join_option,
    log_probs,
    noise_option,
    open_vocabulary_option,
    read_hypotheses,
    read_noise,
    refuse_needless_group,
)
from langmodel.cli.options import device_option, model_argument, network_only_option, threads_option
from langmodel.display.reports import rows_as_text
from langmodel.errors import InputError
from langmodel.inference.language_model import load
from langmodel.nbest.combination import tune
from langmodel.nbest.errors import word_errors
from langmodel.nbest.formats import NBEST_FORMATS
from langmodel.nbest.hypotheses import Hypothesis, lists
from langmodel.nbest.wording import without_noise
from langmodel.network.device import prepare_cpu
from langmodel.text.sources import read_raw_lines


def _by_id(lines: list[str], ids: list[str], name: str) -> list[str]:
    """The references of the lists `ids`, out of lines that begin with theirs. Raises InputError for none."""
    references = {id: text for line in lines for id, _, text in [line.strip().partition(" ")] if id}
    missing = [id for id in ids if id not in references]
    if missing:
        raise InputError(f"{name}: no line begins with {missing[0]!r}; expected utterance w1 w2 ...")
    return [references[id] for id in ids]


def _by_file_name(lines: list[str], ids: list[str]) -> list[str] | None:
    """SRILM's references with the name of their list's file in front; None unless every list's is there."""
    references = {id: text for line in lines for id, _, text in [line.strip().partition(" ")] if id}
    names = [Path(id).name for id in ids]
    found = [
        next((references[name[:end]] for end in _ends(name) if name[:end] in references), None)
        for name in names
    ]
    texts = [text for text in found if text is not None]
    return texts if len(texts) == len(ids) == len(lines) else None


def _ends(name: str) -> Iterator[int]:
    """A file's name whole, and without one suffix more each time."""
    yield len(name)
    yield from (at for at in range(len(name) - 1, 0, -1) if name[at] == ".")


def _references(
    files: Sequence[str], format_: str, hypotheses: Sequence[Hypothesis], noise: frozenset[str]
) -> list[str]:
    """One for each list, in their order. Raises InputError where they do not match."""
    chosen, grouped = NBEST_FORMATS[format_], lists(hypotheses)
    if chosen.holds_references:
        held = [hypotheses[places[0]].reference for places in grouped]
        if None in held:
            raise InputError(f"{files[0]}: list {held.index(None) + 1} has no reference ('output')")
        return [without_noise(text or "", noise) for text in held]
    lines, ids = list(read_raw_lines(files[-1])), [hypotheses[places[0]].list_id for places in grouped]
    if chosen.references_have_ids:
        lines = _by_id(lines, ids, files[-1])
    elif format_ == "srilm":
        lines = _by_file_name(lines, ids) or lines
    if len(grouped) != len(lines) or not grouped:
        named = ", ".join(files[:3]) + (", ..." if len(files) > 4 else "")
        raise InputError(
            f"{files[-1]}: {len(lines)} reference(s) for {len(grouped)} list(s) in {named}; give one per list"
        )
    return [without_noise(line, noise) for line in lines]


@click.command("tune-nbest")
@model_argument
@click.argument("files", nargs=-1, required=True, metavar="NBEST... REFERENCES")
@format_option
@group_option
@join_option
@noise_option
@open_vocabulary_option
@network_only_option
@device_option
@threads_option
def command(
    model: Path,
    files: tuple[str, ...],
    format_: str,
    group: int | None,
    join: str | None,
    noise_file: str | None,
    open_vocabulary: int | None,
    network_only: bool,
    device: str,
    threads: int | None,
) -> None:
    """Find --weight, --bonus and --share for `rescore` on NBEST files; REFERENCES has a line for each list.

    An SRILM file is one list: its line follows the order of the files, or begins with the file's name.
    A kaldi or utterance reference begins with its utterance, in any order; hyporadise files contain theirs.

    Prints the word error rate before and after. Report final results on other data.
    """
    chosen = NBEST_FORMATS[format_]
    refuse_needless_group(format_, group)
    if len(files) < 2 and not chosen.holds_references:
        raise InputError(f"{files[0]}: name the references too, after the lists")
    noise = read_noise(noise_file)
    nbest = files if chosen.holds_references else files[:-1]
    hypotheses = read_hypotheses(nbest, format_, group, join, noise)
    grouped = lists(hypotheses)
    wanted = _references(files, format_, hypotheses, noise)
    errors = [0] * len(hypotheses)
    for places, reference in zip(grouped, wanted, strict=True):
        for place in places:
            errors[place] = word_errors(reference, hypotheses[place].text)
    words = sum(len(reference.split()) for reference in wanted)
    if not words:
        raise InputError(f"{files[-1]}: no words in the references")
    prepare_cpu(threads)
    scores = log_probs(load(model, device, network_only=network_only), hypotheses, open_vocabulary)
    tuned = tune(hypotheses, scores, errors, words, lm_apart=chosen.keeps_lm_apart)
    flags = f"--weight {tuned.combination.weight:.4g} --bonus {tuned.combination.bonus:.4g}"
    if chosen.keeps_lm_apart:
        flags += f" --share {tuned.combination.share:.4g}"

    def rate(errors: int) -> str:
        return f"{errors / words:.2%}  ({errors:,} errors in {words:,} words)"

    print(
        rows_as_text(
            [
                ("word error rate before", rate(tuned.errors_before)),
                ("word error rate after", rate(tuned.errors_after)),
                ("best possible", rate(tuned.errors_least)),
                ("use", flags),
            ]
        )
    )
