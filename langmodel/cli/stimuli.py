"""`langmodel stimuli`: surprisal of the regions of experimental sentences, and what a model prefers."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from langmodel.cli.options import Choice, device_option, model_argument, network_only_option, threads_option
from langmodel.display.reports import rows_as_text
from langmodel.errors import ConfigError, InputError
from langmodel.formats.experiment_tables import agreement_table, region_table
from langmodel.formats.score_style import LN_OF_BASE
from langmodel.formats.stimulus_files import FORMATS, Experiment, read_experiment
from langmodel.formats.word_tables import read_word_table, with_surprisal
from langmodel.inference.experiments import (
    Agreement,
    by_item,
    mean_of_suites,
    pair_agreements,
    pair_outcome,
    suite_agreements,
)
from langmodel.inference.language_model import load
from langmodel.inference.stimuli import Preference, ScoredStimulus, preferences, score_stimuli
from langmodel.network.architecture import CONTEXTS
from langmodel.network.device import prepare_cpu

WORDS = "words"


def _share(preference: Preference) -> str:
    notes = [f"{preference.ties} equal"] if preference.ties else []
    if preference.with_oov:
        notes.append(f"{preference.with_oov} with unknown words")
    low, high = preference.interval
    return f"{preference.accuracy:.1%} of {preference.items} items, 95 % interval {low:.1%} to {high:.1%}" + (
        f" ({', '.join(notes)})" if notes else ""
    )


def preference_report(
    scored: Sequence[ScoredStimulus], expected: str, region: int | None, file: str, *, excludes_oov: bool
) -> str:
    if not any(each.stimulus.condition == expected for each in scored):
        raise InputError(f"{file}: no condition {expected!r} in it")
    shortest = min(len(each.stimulus.regions) for each in scored)
    if region is not None and region > shortest:
        raise InputError(f"{file}: --at {region}, but a sentence has {shortest} regions")
    found = preferences(scored, expected, region, excludes_oov=excludes_oov)
    if not found:
        without = " without unknown words" if excludes_oov else ""
        raise InputError(f"{file}: no item{without} has {expected!r} and another condition")
    where = "the whole sentence" if region is None else f"region {region}"
    rows = [(f"{expected} over {each.other}", _share(each)) for each in found]
    return f"likelier, by {where}, pooled over items:\n" + rows_as_text(rows)


def _agreements(
    experiments: Sequence[Experiment], scored: Sequence[list[ScoredStimulus]], *, excludes_oov: bool
) -> Iterator[str]:
    """Of BLiMP's pairs, all files together; of SyntaxGym's suites, each by its name."""
    if experiments[0].kind == "blimp":
        outcomes = [
            (experiment.pairs[item].paradigm, experiment.pairs[item].field, outcome)
            for experiment, own in zip(experiments, scored, strict=True)
            for item, conditions in by_item(own).items()
            if not ((outcome := pair_outcome(conditions)).oov and excludes_oov)
        ]
        if not outcomes:
            raise InputError("no pair without unknown words; leave out --exclude-oov")
        yield from agreement_table(pair_agreements(outcomes), "paradigm", "field")
        return
    found: list[Agreement] = []
    for experiment, own in zip(experiments, scored, strict=True):
        of_suite = suite_agreements(
            Path(experiment.file).name.partition(".")[0],
            own,
            experiment.predictions,
            experiment.metric,
            excludes_oov=excludes_oov,
        )
        if not of_suite:
            raise InputError(f"{experiment.file}: no item without unknown words; leave out --exclude-oov")
        found += of_suite
    suites = [each for each in found if each.of[1] == "all"]
    yield from agreement_table(
        [*found, *([mean_of_suites(suites)] if len(suites) > 1 else [])], "suite", "prediction"
    )


def _refuse_what_does_not_go_together(
    experiments: Sequence[Experiment], *, compares: bool, excludes_oov: bool
) -> None:
    kinds = {experiment.kind for experiment in experiments}
    if len(kinds) > 1:
        raise ConfigError(
            f"files of {len(kinds)} formats ({', '.join(sorted(kinds))}); give one format at a time"
        )
    if len(experiments) > 1 and not compares:
        raise ConfigError("several files work only for BLiMP and SyntaxGym's JSON; give one at a time")
    if excludes_oov and not compares:
        raise ConfigError("--exclude-oov is for accuracies; add --expect, or leave it out")


@click.command("stimuli")
@model_argument
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--format",
    "format_",
    type=Choice([*FORMATS, WORDS]),
    help="Format of the files; words: a table with a row per word.  [default: by content]",
)
@click.option("--base", type=Choice(list(LN_OF_BASE)), default="2", show_default=True, help="Of logarithms.")
@click.option(
    "--spillover",
    type=click.IntRange(0, 100),
    default=2,
    show_default=True,
    help="How many columns to add, with the surprisal of the regions that follow.",
)
@click.option("--regions", is_flag=True, help="For BLiMP and SyntaxGym: print the table of regions.")
@click.option(
    "--expect",
    metavar="CONDITION",
    help="Instead of the table, how often this condition is likelier than each other one of the same item.",
)
@click.option("--at", "region", type=click.IntRange(min=1), help="With --expect: compare this region only.")
@click.option(
    "--open-vocabulary",
    type=click.IntRange(min=1),
    metavar="N",
    help="Assume N words: UNK's probability is split among those that the model lacks.",
)
@click.option("--exclude-oov", is_flag=True, help="Leave out items with a word that the model does not know.")
@click.option(
    "--context",
    type=Choice(CONTEXTS),
    default="document",
    show_default=True,
    help="words: whether the state is carried from sentence to sentence of a text.",
)
@network_only_option
@device_option
@threads_option
def command(
    model: Path,
    files: tuple[str, ...],
    format_: str | None,
    base: str,
    spillover: int,
    regions: bool,
    expect: str | None,
    region: int | None,
    open_vocabulary: int | None,
    exclude_oov: bool,
    context: str,
    network_only: bool,
    device: str,
    threads: int | None,
) -> None:
    """Print the summed surprisal of each region of the sentences in FILE under MODEL, or its accuracy.

    \b
    FILE is one of these, told apart by its content or by --format:
      csv            columns item, condition and regions: The keys|to the cabinet|are
      blimp          JSON lines with sentence_good and sentence_bad: accuracy by paradigm and field
      syntaxgym      a suite in JSON: the share of items in which its predictions hold
      syntaxgym-csv  columns item_number, condition_name, region_number, content
      words          a row per word (Natural Stories, Provo): the same rows with surprisal
    A row for END (</s>) completes each sentence of regions: its rows add up to the sentence's own surprisal.
    """
    if region is not None and expect is None:
        raise ConfigError("--at needs --expect")
    if format_ == WORDS:
        if len(files) > 1 or expect is not None or exclude_oov or open_vocabulary is not None:
            raise ConfigError("--format words takes one file, and no options but --base and --context")
        table = read_word_table(files[0])
        prepare_cpu(threads)
        lines = with_surprisal(load(model, device, network_only=network_only), table, base, context)
    else:
        experiments = [read_experiment(file, format_) for file in files]
        agrees = bool(experiments[0].pairs or experiments[0].predictions) and not regions
        _refuse_what_does_not_go_together(
            experiments, compares=agrees or expect is not None, excludes_oov=exclude_oov
        )
        prepare_cpu(threads)
        lm = load(model, device, network_only=network_only)
        scored = [list(score_stimuli(lm, e.stimuli, open_vocabulary=open_vocabulary)) for e in experiments]
        if expect is not None:
            report = preference_report(scored[0], expect, region, files[0], excludes_oov=exclude_oov)
            lines = iter([report])
        elif agrees:
            lines = _agreements(experiments, scored, excludes_oov=exclude_oov)
        else:
            lines = region_table(scored[0], base, spillover)
    for line in lines:
        print(line)
