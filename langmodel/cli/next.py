"""`langmodel next`: the words that may come next, line after line."""

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import click

from langmodel.cli.options import device_option, model_argument, network_only_option, threads_option
from langmodel.errors import InputError
from langmodel.inference.language_model import LanguageModel, load
from langmodel.network.device import prepare_cpu
from langmodel.text.printable import printable

PROMPT = "> "


def typed_lines() -> Iterator[str]:
    """The lines of standard input as they come, asked for on a terminal.

    Raises InputError where it is closed or not text.
    """
    if sys.stdin is None:
        raise InputError("standard input is closed; pipe the lines in")
    asks = sys.stdin.isatty()
    encoding = sys.stdin.encoding if asks else "utf-8-sig"
    for number in count(1):
        if asks:
            print(PROMPT, end="", file=sys.stderr, flush=True)
        line = sys.stdin.buffer.readline()
        if not line:
            if asks:
                print(file=sys.stderr)
            return
        try:
            yield line.decode(encoding).rstrip("\r\n")
        except UnicodeDecodeError:
            raise InputError(f"standard input: line {number} is not UTF-8; convert it") from None


def next_table(lm: LanguageModel, context: str, k: int) -> str:
    """One line per word: probability, and the word; after the unknown words of the context, if it has any."""
    unknown = lm.unknown_words(lm.pipeline.tokenize(context))
    lines = [f"(unknown: {', '.join(unknown)})"] if unknown else []
    return "\n".join(
        lines + [f"{word.probability:8.4f}  {printable(word.word)}" for word in lm.next_words(context, k)]
    )


@click.command("next")
@model_argument
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many words.")
@network_only_option
@device_option
@threads_option
def command(model: Path, k: int, network_only: bool, device: str, threads: int | None) -> None:
    """Print the likeliest next words after each line of standard input, the beginning of a sentence.

    On a terminal, type a beginning and press Enter; an empty line asks for a first word; Ctrl-D quits.
    </s> is the end of the sentence, <unk> any word that the model does not know. Answers to several lines of
    a file are separated by a blank line.
    """
    prepare_cpu(threads)
    lm = load(model, device, network_only=network_only)
    for number, line in enumerate(typed_lines()):
        if number and not sys.stdin.isatty():
            print()
        print(next_table(lm, line, k), flush=True)
