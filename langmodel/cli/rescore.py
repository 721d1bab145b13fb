"""`langmodel rescore`: an n-best list with this model's scores in it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
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
from langmodel.cli.options import FINITE, device_option, model_argument, network_only_option, threads_option
from langmodel.errors import ConfigError
from langmodel.inference.language_model import load
from langmodel.nbest.combination import Combination
from langmodel.nbest.formats import NBEST_FORMATS
from langmodel.nbest.hypotheses import Rescored, lists
from langmodel.network.device import prepare_cpu


def in_order(scored: Sequence[Rescored], rerank: bool, one_best: bool) -> Iterator[Rescored]:
    """Each list's entries as they came, or the best first, or the best alone; equal ones as they came."""
    if not (rerank or one_best):
        yield from scored
        return
    for places in lists([entry.hypothesis for entry in scored]):
        ranked = sorted((scored[place] for place in places), key=lambda entry: -(entry.total or 0.0))
        head = tuple(line for place in places for line in scored[place].hypothesis.before)
        for entry in ranked[:1] if one_best else ranked:
            yield replace(entry, hypothesis=replace(entry.hypothesis, before=head))
            head = ()  # what stands in front of a list stands there once


@click.command("rescore")
@model_argument
@click.argument("file", default="-")
@format_option
@group_option
@join_option
@noise_option
@open_vocabulary_option
@click.option(
    "--weight",
    type=FINITE,
    help="Combine scores: own + weight x (language model) + bonus x words.  [default: 1 with --rerank]",
)
@click.option(
    "--bonus", type=FINITE, default=0.0, show_default=True, help="Per word, in nats (log10 times 2.303)."
)
@click.option(
    "--share",
    type=FINITE,
    metavar="0 to 1",
    default=1.0,
    show_default=True,
    help="srilm: this model's share; the rest is the list's own language model score.",
)
@click.option("--rerank", is_flag=True, help="Put the best of each list first.  [default: order kept]")
@click.option("--one-best", is_flag=True, help="Only the best of each list: its text (kaldi: after its id).")
@network_only_option
@device_option
@threads_option
def command(
    model: Path,
    file: str,
    format_: str,
    group: int | None,
    join: str | None,
    noise_file: str | None,
    open_vocabulary: int | None,
    weight: float | None,
    bonus: float,
    share: float,
    rerank: bool,
    one_best: bool,
    network_only: bool,
    device: str,
    threads: int | None,
) -> None:
    """Score every hypothesis of an n-best list (FILE, or standard input) with MODEL; print the list anew.

    Nothing is printed before the whole list has been read and checked.
    """
    chosen = NBEST_FORMATS[format_]
    refuse_needless_group(format_, group)
    if not 0 <= share <= 1:
        raise ConfigError(f"--share must be between 0 and 1, got {share:g}")
    if share < 1 and not chosen.keeps_lm_apart:
        raise ConfigError(
            f"--share needs the list's own language model score, which {format_} lists do not keep apart"
        )
    combine = (
        None
        if weight is None and not (rerank or one_best)
        else Combination(weight=1.0 if weight is None else weight, bonus=bonus, share=share)
    )
    if chosen.keeps_lm_apart and combine is not None and not (rerank or one_best):
        raise ConfigError(
            f"{format_} lists keep their scores apart, so --weight does nothing; add --rerank or --one-best"
        )
    if combine is None and (bonus or share < 1):
        raise ConfigError("--bonus and --share are for combined scores; add --weight")
    hypotheses = read_hypotheses([file], format_, group, join, read_noise(noise_file))
    prepare_cpu(threads)
    scores = log_probs(load(model, device, network_only=network_only), hypotheses, open_vocabulary)
    scored = [
        Rescored(hypothesis, log_prob, None if combine is None else combine.total(hypothesis, log_prob))
        for hypothesis, log_prob in zip(hypotheses, scores, strict=True)
    ]
    for entry in in_order(scored, rerank, one_best):
        if one_best:
            print(chosen.best(entry.hypothesis))
            continue
        for line in (*entry.hypothesis.before, *chosen.write(entry)):
            print(line)
