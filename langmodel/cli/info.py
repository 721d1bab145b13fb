"""`langmodel info`: what a corpus, a run or a model is."""

from pathlib import Path

import click

from langmodel.classification.classifier_file import is_classifier, load_classifier_file
from langmodel.display.classifier_reports import classifier_report
from langmodel.display.model_report import model_report
from langmodel.display.reports import corpus_report
from langmodel.errors import InputError
from langmodel.network.device import prepare_cpu
from langmodel.runs.doctor import examine
from langmodel.storage.model_file import load_model, model_path
from langmodel.text.corpus import Corpus, open_corpus
from langmodel.text.corpus_files import is_corpus


def _check(corpus: Corpus) -> None:
    prepare_cpu(None)
    faults = 0
    for finding in examine(corpus):
        faults += finding.is_fault
        print(f"{'! ' if finding.is_fault else '  '}{finding.text}")
    print(f"{faults} to fix" if faults else "nothing to fix")


@click.command("info")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option(
    "--check",
    is_flag=True,
    help="For a corpus: unknown words by vocabulary size, duplicates, odd text, time per epoch.",
)
def command(paths: tuple[Path, ...], check: bool) -> None:
    """Describe corpus directories, run directories and .safetensors files."""
    for number, path in enumerate(paths):
        if number:
            print()
        if is_corpus(path):
            corpus = open_corpus(path)
            print(corpus_report(corpus))
            if check:
                _check(corpus)
        elif check:
            raise InputError(f"{path}: --check is for a corpus directory; leave it out")
        else:
            file = model_path(path)
            if is_classifier(file):
                print(classifier_report(file, load_classifier_file(file)))
            else:
                print(model_report(file, load_model(file)))
