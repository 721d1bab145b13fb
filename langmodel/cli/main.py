"""The `langmodel` command: finds the verb, turns errors into one line and an exit code."""

import errno
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from langmodel import __version__
from langmodel.cli.options import did_you_mean
from langmodel.errors import LangModelError
from langmodel.runs.signals import quitting_at_once
from langmodel.text.printable import printable

COMMANDS = {
    "preprocess": "raw text -> vocabulary and encoded splits",
    "train": "train a network on a preprocessed corpus",
    "evaluate": "perplexity of a held-out text or split",
    "sample": "new sentences, one per line",
    "score": "log-probability of each input line",
    "next": "the likeliest next words, as you type",
    "stimuli": "surprisal of the regions of experimental sentences",
    "rescore": "an n-best list with this model's scores added",
    "tune-nbest": "weights for rescore, from a list with references",
    "compare": "several runs side by side: settings and results",
    "serve": "a web page for writing, judging and comparing",
    "export-web": "one HTML file for writing and judging offline",
    "train-classifier": "labelled texts -> a classifier",
    "classify": "a label and its probability for each text",
    "evaluate-classifier": "accuracy and more on labelled texts",
    "export-arpa": "a model's n-grams, for KenLM and SRILM",
    "export-onnx": "a model's network, for ONNX Runtime",
    "info": "what a corpus, a run or a model is",
    "import-model": "another program's weights -> a model",
    "import-tutorial": "the RNN tutorial's weights -> a model",
    "demo": "the four jobs, on a built-in corpus",
}
"""Every verb, in the order of use, with its line of help; each lives in the module of its name."""

OUT_OF_MEMORY = "when training, lower --batch-size, --bptt or --hidden-size; otherwise, give shorter lines"

SIGNS_OF_FULL_MEMORY = ("out of memory", "can't allocate memory", "STATUS_ALLOC_FAILED")
"""In what PyTorch says, of the CPU's allocator, of CUDA's, and of cuBLAS and cuDNN."""

EXIT_INTERRUPTED = 128 + signal.SIGINT


class _Verbs(click.Group):
    """Imports a verb's module when it is called, so that `langmodel --help` imports no torch."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        with quitting_at_once():
            module = importlib.import_module(f"langmodel.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no such command {args[0]!r}{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="langmodel")
def langmodel() -> None:
    """Word-level recurrent language models: preprocess, train, sample, score."""


MOST_CHARACTERS = 2_000
"""Of an error: what was found may be a file's own words."""


def shortened(message: str) -> str:
    """A message without its middle, if it is longer than anybody reads."""
    half = MOST_CHARACTERS // 2
    return message if len(message) <= MOST_CHARACTERS else f"{message[:half]} … {message[-half:]}"


def _say(message: str) -> None:
    one_line = shortened(printable(" ".join(message.split())))
    print(f"langmodel: error: {one_line}", file=sys.stderr)


def _finish_output() -> None:
    """What was to be done is done, also when nobody reads its last lines."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _say_no_more()


def _say_no_more() -> None:
    """The reader has gone: nothing is wrong, and nothing is left to say (Python's documented way)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code and never raises."""
    try:
        result: Any = langmodel.main(arguments, prog_name="langmodel", standalone_mode=False)
        _finish_output()
        return result if isinstance(result, int) else 0
    except LangModelError as error:
        _say(str(error))
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return 2
    except click.UsageError as error:
        verb = error.ctx.command_path if error.ctx else "langmodel"
        message = error.format_message()
        _say(f"{message}{'' if message.endswith(('.', '?')) else '.'} See `{verb} --help`.")
        return 2
    except click.ClickException as error:
        _say(error.format_message())
        return error.exit_code
    except (KeyboardInterrupt, click.exceptions.Abort):
        print("langmodel: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _say_no_more()
        return 1
    except MemoryError:
        _say(f"out of memory; {OUT_OF_MEMORY}")
        return 1
    except OSError as error:
        _say(f"{error.filename or 'input or output'}: {error.strerror or error}")
        return 2 if error.errno == errno.ENAMETOOLONG else 1
    except RuntimeError as error:
        if not any(sign in str(error) for sign in SIGNS_OF_FULL_MEMORY):
            raise
        _say(f"out of memory on the device; {OUT_OF_MEMORY}")
        return 1


def main() -> NoReturn:
    """Entry point of the console script and of `python -m langmodel`.

    Text goes out as it came in: UTF-8. SIGTERM unwinds the stack, so that nothing half-made is left.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.exit(run())
