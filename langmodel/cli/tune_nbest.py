"""`langmodel tune-nbest`: weights for `rescore` that make the fewest word errors on a development list."""

from pathlib import Path

import click

from langmodel.cli.nbest_scores import (
    format_option,
    group_option,
    log_probs,
    open_vocabulary_option,
    refuse_needless_group,
)
from langmodel.cli.options import device_option, model_argument, network_only_option, threads_option
from langmodel.display.reports import rows_as_text
from langmodel.errors import InputError
from langmodel.inference.language_model import load
from langmodel.nbest.combination import tune
from langmodel.nbest.errors import word_errors
from langmodel.nbest.formats import NBEST_FORMATS
from langmodel.nbest.hypotheses import lists
from langmodel.network.device import prepare_cpu
from langmodel.text.sources import input_name, read_raw_lines


def _by_id(lines: list[str], ids: list[str], name: str) -> list[str]:
    """The references of the lists `ids`, out of lines that begin with theirs. Raises InputError for none."""
    references = {id: text for line in lines for id, _, text in [line.strip().partition(" ")] if id}
    missing = [id for id in ids if id not in references]
    if missing:
        raise InputError(f"{name}: no line begins with {missing[0]!r}; expected utterance w1 w2 ...")
    return [references[id] for id in ids]


@click.command("tune-nbest")
@model_argument
@click.argument("nbest", nargs=-1, required=True)
@click.argument("references")
@format_option
@group_option
@open_vocabulary_option
@network_only_option
@device_option
@threads_option
def command(
    model: Path,
    nbest: tuple[str, ...],
    references: str,
    format_: str,
    group: int | None,
    open_vocabulary: int | None,
    network_only: bool,
    device: str,
    threads: int | None,
) -> None:
    """Find --weight, --bonus and --share of `rescore` on NBEST files; REFERENCES has a line for each list.

    An SRILM file is one list: name one for each line, in their order. A Kaldi reference begins with its
    utterance's id, in any order.

    Prints the word error rate of the lists as they are and as they become. Report it on other data.
    """
    chosen = NBEST_FORMATS[format_]
    refuse_needless_group(format_, group)
    hypotheses = [h for file in nbest for h in chosen.read(read_raw_lines(file), input_name(file), group)]
    grouped = lists(hypotheses)
    wanted = list(read_raw_lines(references))
    if chosen.references_have_ids:
        wanted = _by_id(wanted, [hypotheses[places[0]].list_id for places in grouped], references)
    if len(grouped) != len(wanted) or not grouped:
        named = ", ".join(nbest[:3]) + (", ..." if len(nbest) > 3 else "")
        raise InputError(
            f"{references}: {len(wanted)} reference(s) for {len(grouped)} list(s) in {named}; one a list"
        )
    errors = [0] * len(hypotheses)
    for places, reference in zip(grouped, wanted, strict=True):
        for place in places:
            errors[place] = word_errors(reference, hypotheses[place].text)
    words = sum(len(reference.split()) for reference in wanted)
    if not words:
        raise InputError(f"{references}: no words in it")
    prepare_cpu(threads)
    scores = log_probs(load(model, device, network_only=network_only), hypotheses, open_vocabulary)
    tuned = tune(hypotheses, scores, errors, words, lm_apart=chosen.keeps_lm_apart)
    flags = f"--weight {tuned.combination.weight:.4g} --bonus {tuned.combination.bonus:.4g}"
    if chosen.keeps_lm_apart:
        flags += f" --share {tuned.combination.share:.4g}"

    def rate(errors: int) -> str:
        return f"{errors / words:.2%}  ({errors:,} errors in {words:,} words)"

    print(rows_as_text([
        ("word error rate before", rate(tuned.errors_before)),
        ("word error rate after", rate(tuned.errors_after)),
        ("at best", rate(tuned.errors_least)),
        ("use", flags),
    ]))  # fmt: skip
