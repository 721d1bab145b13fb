"""`langmodel sample`: new sentences, one a line."""

import json
from pathlib import Path
from typing import Any

import click

from langmodel.cli.options import device_option, given, model_argument, setting, threads_option
from langmodel.inference.language_model import load
from langmodel.inference.results import SampledSentence
from langmodel.inference.settings import MAX_SEED, UNK_POLICIES, SamplingSettings
from langmodel.network.device import prepare_cpu


def _as_json(sentence: SampledSentence) -> str:
    return json.dumps(
        {
            "text": sentence.text,
            "words": sentence.words,
            "log_prob": sentence.log_prob,
            "finished": sentence.finished,
        },
        ensure_ascii=False,
    )


FORMATS = {
    "text": lambda sentence: sentence.text,
    "tokens": lambda sentence: " ".join(sentence.words),
    "jsonl": _as_json,
}


@click.command("sample")
@model_argument
@click.option("-n", "count", type=click.IntRange(min=0), default=10, show_default=True, help="Sentences.")
@click.option("--prefix", default="", help="How every sentence begins.")
@setting(SamplingSettings, "--temperature", "Below 1: safer; above 1: wilder; 0: always the likeliest word.")
@setting(SamplingSettings, "--top-k", "Only the k likeliest words; 0: all.")
@setting(SamplingSettings, "--top-p", "Only the likeliest words that reach this probability together.")
@setting(SamplingSettings, "--min-length", "Words at least; END is ruled out until then.")
@setting(SamplingSettings, "--max-length", "Words at most; a longer sentence is cut off.")
@setting(
    SamplingSettings,
    "--unk",
    "reject: UNK is ruled out at each word and the rest renormalised. resample-sentence: whole "
    "sentences are drawn, those with UNK dropped; a different distribution. keep: UNK may stand.",
    type=click.Choice(UNK_POLICIES),
)
@click.option(
    "--seed", type=click.IntRange(0, MAX_SEED), help="Same seed, same sentences.  [default: random]"
)
@click.option(
    "--format", "format_", type=click.Choice(list(FORMATS)), default="text", show_default=True,
    help="text: put together as prose. tokens: words with blanks. jsonl: with log-probability (base e).",
)  # fmt: skip
@device_option
@threads_option
def command(
    model: Path,
    count: int,
    prefix: str,
    seed: int | None,
    format_: str,
    device: str,
    threads: int | None,
    **settings: Any,
) -> None:
    """Draw sentences from MODEL, a run directory or a .safetensors file."""
    wanted = SamplingSettings(**given(settings))
    prepare_cpu(threads)
    lm = load(model, device)
    for sentence in lm.sample(count, seed=seed, prefix=prefix, settings=wanted):
        print(FORMATS[format_](sentence))
