"""`langmodel train-classifier`: texts with labels -> a classifier."""

from pathlib import Path
from typing import Any

import click

from langmodel.classification.config import PRESETS, ClassifierConfig
from langmodel.classification.labelled import Columns
from langmodel.cli.options import (
    Choice,
    device_option,
    given,
    labelled_options,
    settings_options,
    threads_option,
)
from langmodel.cli.sections import Sections
from langmodel.runs.signals import quitting_at_once

GROUPS = {
    "Data": ("valid", "test", "valid_fraction", "folds", "column", "label_column", "encoding"),
    "Run": ("output", "preset", "seed", "resume", "overwrite", "compare", "device", "threads"),
    "Few labels": (
        "unlabelled",
        "semi",
        "labels",
        "rounds",
        "threshold",
        "round_epochs",
        "pretrain_epochs",
    ),
    "From a language model": ("from_models", "layer_decay", "thaw", "lm_loss"),
    "Encoder": (
        "cell",
        "embedding_size",
        "embedding_bound",
        "hidden_size",
        "layers",
        "bidirectional",
        "pooling",
        "dense",
        "networks",
        "vocabulary_size",
        "min_count",
        "max_words",
        "case",
    ),
    "Training": (
        "epochs",
        "patience",
        "judge",
        "refit",
        "batch_size",
        "learning_rate",
        "dropout",
        "word_dropout",
        "weight_decay",
        "l2",
        "clip",
    ),
}


class _Command(Sections):
    groups = GROUPS
    presets = ("Presets", PRESETS)


@click.command("train-classifier", cls=_Command)
@click.argument("data", nargs=-1, required=True, metavar="DATA...")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Run directory.")
@click.option("--preset", type=Choice(PRESETS), help="Named settings, listed above; flags win.")
@click.option(
    "--valid", multiple=True, metavar="DATA", help="Validation texts; without them, part of DATA is held out."
)
@click.option("--test", multiple=True, metavar="DATA", help="Test texts, judged at the end.")
@click.option(
    "--valid-fraction",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="Share of each class that is held out for validation.",
)
@click.option(
    "--folds", type=click.IntRange(2), help="Cross-validation: train this many classifiers, report the mean."
)
@labelled_options
@click.option("--unlabelled", multiple=True, metavar="FILE", help="More texts, one per line, or as DATA.")
@click.option(
    "--labels",
    type=click.IntRange(2),
    metavar="N",
    help="Use the labels of only N texts; the others count as unlabelled.",
)
@click.option(
    "--from",
    "from_models",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="MODEL",
    help="Start from a language model; given twice, from a forward one and a backward one.",
)
@settings_options(ClassifierConfig)
@click.option("--resume", is_flag=True, help="Continue the run in the directory.")
@click.option("--overwrite", is_flag=True, help="Replace the run in the directory.")
@click.option("--compare/--no-compare", default=True, help="At the end, compare with bag-of-words models.")
@device_option
@threads_option
def command(
    data: tuple[str, ...],
    output: Path,
    preset: str | None,
    valid: tuple[str, ...],
    test: tuple[str, ...],
    valid_fraction: float,
    folds: int | None,
    column: str,
    label_column: str,
    encoding: str,
    unlabelled: tuple[str, ...],
    labels: int | None,
    from_models: tuple[Path, ...],
    resume: bool,
    overwrite: bool,
    compare: bool,
    device: str,
    threads: int | None,
    **settings: Any,
) -> int:
    """Train a classifier on DATA and save it in the run directory.

    DATA is a table with columns for text and label (.csv, .tsv, .jsonl), a file of lines
    `label +++$+++ text`, a folder or archive with a folder for each class, or LABEL=FILE for every class,
    with a text per line.
    """
    with quitting_at_once():
        from langmodel.display.narration import Narrator
        from langmodel.network.device import prepare_cpu
        from langmodel.runs.classifier_job import ClassifierOptions
        from langmodel.runs.classifying import chosen_settings, run_classifier_training
    prepare_cpu(threads)
    options = ClassifierOptions(
        valid=valid,
        test=test,
        valid_fraction=valid_fraction,
        unlabelled=unlabelled,
        labels=labels,
        from_models=from_models,
        folds=folds or 0,
        columns=Columns(text=column, label=label_column, encoding=encoding),
        resume=resume,
        overwrite=overwrite,
        compare=compare,
    )
    run = run_classifier_training(
        data, output, chosen_settings(preset, given(settings)), options, device, Narrator()
    )
    return run.exit_code
