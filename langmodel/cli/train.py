"""`langmodel train`: corpus directory -> run directory."""

import sys
from pathlib import Path
from typing import Any

import click

from langmodel.cli.options import Choice, device_option, given, settings_options, threads_option
from langmodel.cli.sections import Sections
from langmodel.errors import InputError
from langmodel.runs.signals import quitting_at_once
from langmodel.training.config import TrainingConfig, chosen_settings
from langmodel.training.presets import PRESETS


class _Ngrams(click.ParamType):  # type: ignore[type-arg]
    """A number, or the path of a file."""

    name = "N|FILE.arpa"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | Path:
        return int(value) if str(value).isdigit() else Path(value)


GROUPS = {
    "Run": (
        "output",
        "preset",
        "config_file",
        "epochs",
        "minutes",
        "max_minutes",
        "resume",
        "from_model",
        "overwrite",
        "seed",
        "device",
        "threads",
        "baselines",
        "tensorboard",
    ),
    "Model": (
        "cell",
        "embedding_size",
        "hidden_size",
        "layers",
        "tied",
        "bias",
        "softmax",
        "cutoffs",
        "band_factor",
        "ngrams",
    ),
    "Regularisation": ("dropout", "word_dropout", "weight_drop", "weight_decay", "ar", "tar"),
    "Optimisation": (
        "optimizer",
        "schedule",
        "learning_rate",
        "clip",
        "average",
        "patience",
        "evaluate_every",
        "on_nonfinite",
        "skip_limit",
    ),
    "Reading and speed": (
        "context",
        "backward",
        "batch_size",
        "bptt",
        "random_bptt",
        "partial_shuffle",
        "sampled_softmax",
        "precision",
    ),
}
"""The sections of the help, each with its options."""


class _Command(Sections):
    """`--resume` may be followed by `auto`; click has no flag with a value that can be left out."""

    groups = GROUPS
    presets = ("Presets, with test perplexities (PTB: network alone; novel: with n-grams)", PRESETS)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        joined: list[str] = []
        for arg in args:
            if arg == "auto" and joined and joined[-1] == "--resume":
                joined[-1] = "--resume-auto"
            else:
                joined.append("--resume-auto" if arg == "--resume=auto" else arg)
        return super().parse_args(ctx, joined)


@click.command("train", cls=_Command)
@click.argument("corpus_dir", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Run directory.")
@click.option(
    "--preset",
    type=Choice(list(PRESETS)),
    help="Named settings, listed above; flags win.",
)
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Settings in TOML; flags win.")
@settings_options(TrainingConfig, ngrams=_Ngrams())
@click.option(
    "--minutes",
    type=float,
    help="Plan epochs and schedule so that the run takes this long; the plan is printed.",
)
@click.option(
    "--max-minutes", type=float, help="Stop, evaluate and save after this long, wherever the run is."
)
@click.option(
    "--from",
    "from_model",
    type=click.Path(path_type=Path),
    metavar="MODEL",
    help="Start from a trained model's weights, with its cell and sizes.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Continue the run in the directory; with more --epochs, make it longer. --resume auto starts a "
    "run if there is none: for launchers that restart a command by themselves, such as torchrun.",
)
@click.option("--resume-auto", is_flag=True, hidden=True, help="What --resume auto becomes.")
@click.option("--overwrite", is_flag=True, help="Replace the run in the directory.")
@click.option("--baselines/--no-baselines", default=True, help="Compare the result with n-grams at the end.")
@click.option("--tensorboard", is_flag=True, help="Also write the evaluations for TensorBoard.")
@device_option
@threads_option
def command(
    corpus_dir: Path,
    output: Path,
    preset: str | None,
    config_file: Path | None,
    minutes: float | None,
    max_minutes: float | None,
    from_model: Path | None,
    resume: bool,
    resume_auto: bool,
    overwrite: bool,
    baselines: bool,
    tensorboard: bool,
    device: str,
    threads: int | None,
    **settings: Any,
) -> int:
    """Train a network on CORPUS_DIR; write its best and last state, metrics and curves.

    Without a preset or a recipe of your own, dropout, epochs, softmax and weight decay suit the size of the
    corpus; what was chosen is printed.

    Ctrl-C stops and saves; --resume continues, bit for bit as if the run had never stopped.
    """
    arpa = settings.pop("ngrams") if isinstance(settings["ngrams"], Path) else None
    if arpa is not None and not arpa.is_file():
        raise InputError(f"--ngrams {arpa}: neither a number nor a file; give 5, 0, or an ARPA file")
    chosen = chosen_settings(preset, config_file, given(settings))
    with quitting_at_once():
        from langmodel.display.narration import Narrator
        from langmodel.runs.run_directory import RunOptions, has_begun
        from langmodel.runs.training import run_training
        from langmodel.text.corpus import open_corpus

    if resume_auto and (resume := has_begun(output)):
        from_model = minutes = None  # the run has its own weights and its plan by now
        overwrite = False
    overwrite = overwrite or (resume_auto and not resume)
    options = RunOptions(
        minutes=minutes,
        max_minutes=max_minutes,
        resume=resume,
        overwrite=overwrite,
        from_model=from_model,
        compare=baselines,
        arpa=arpa,
        tensorboard=tensorboard,
        suit=preset is None and config_file is None,
        command=tuple(sys.argv[1:]),
    )
    return run_training(
        open_corpus(corpus_dir), output, chosen, options, device, threads, Narrator()
    ).exit_code
