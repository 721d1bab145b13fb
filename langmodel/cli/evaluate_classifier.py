"""`langmodel evaluate-classifier`: accuracy and more on texts with labels."""

import json

import click

from langmodel.classification.labelled import Columns, read_labelled
from langmodel.cli.options import device_option, labelled_options, model_argument, threads_option
from langmodel.runs.signals import quitting_at_once


@click.command("evaluate-classifier")
@model_argument
@click.argument("data", nargs=-1, required=True, metavar="DATA...")
@labelled_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@device_option
@threads_option
def command(
    model: str,
    data: tuple[str, ...],
    column: str,
    label_column: str,
    encoding: str,
    as_json: bool,
    device: str,
    threads: int | None,
) -> None:
    """Print what the classifier MODEL reaches on DATA: accuracy, F1, confusion and calibration.

    Each figure has a 95 % interval. DATA is as for train-classifier.
    """
    with quitting_at_once():
        from langmodel.classification.classifier import load_classifier
        from langmodel.display.judgement import judgement_text
        from langmodel.network.device import prepare_cpu
    prepare_cpu(threads)
    classifier = load_classifier(model, device)
    texts = read_labelled(data, Columns(text=column, label=label_column, encoding=encoding))
    found = classifier.judge(texts)
    print(json.dumps(found.to_dict(), ensure_ascii=False) if as_json else judgement_text(found))
