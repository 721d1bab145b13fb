"""`langmodel demo`: the four jobs on the built-in corpus."""

from pathlib import Path
from typing import Any

import click

import langmodel
from langmodel.cli.options import threads_option
from langmodel.display.narration import Narrator
from langmodel.display.reports import corpus_report
from langmodel.inference.results import SentenceScore
from langmodel.inference.settings import SamplingSettings
from langmodel.runs.run_directory import RunOptions
from langmodel.runs.training import run_training

CORPUS, RUN = Path("corpora/demo"), Path("checkpoints/demo")

SETTINGS: dict[str, Any] = {"hidden_size": (256,), "epochs": 6}

MAX_MINUTES = 3.0

SENTENCES = (
    "Return a list of the names in the current scope.",
    "If the file does not exist, an exception is raised.",
    "If the file does not exist, an argument is raised.",
    "If the argument is omitted, the default value is used.",
    "If the argument is omitted, the default value is after.",
)

SAMPLES = SamplingSettings(min_length=7, max_length=40, temperature=0.7)


def with_least_likely_marked(score: SentenceScore) -> str:
    """The sentence's words, the least likely one in brackets."""
    least = min(range(len(score.words)), key=lambda index: score.words[index].log_prob)
    words = [f"[{word.word}]" if index == least else word.word for index, word in enumerate(score.words)]
    return " ".join(words if least == len(words) - 1 else words[:-1])


@click.command("demo")
@threads_option
def command(threads: int | None) -> int:
    """Preprocess, train, sample and score, on the English documentation that comes with Python.

    Writes corpora/demo and checkpoints/demo in the current directory; trains for three minutes at most.
    """
    print("1. preprocess: the English documentation that comes with Python (pydoc:)\n", flush=True)
    corpus = langmodel.preprocess("pydoc:", CORPUS, case="keep", workers=1)
    print(corpus_report(corpus))
    print("\n2. train\n", flush=True)
    options = RunOptions(max_minutes=MAX_MINUTES, overwrite=True, suit=False)
    run = run_training(corpus, RUN, SETTINGS, options, "cpu", threads, Narrator())
    if run.exit_code:
        return run.exit_code
    lm = langmodel.load(RUN)
    print("\n3. sample: ten sentences at temperature 0.7, of at least seven words\n")
    for sentence in lm.sample(10, seed=1, settings=SAMPLES):
        print(f"  {sentence}")
    print("\n4. score: log-probability (base e), perplexity, and the [least likely] word\n")
    for text in SENTENCES:
        score = lm.score(text)
        print(f"  {score.log_prob:8.2f}  {score.perplexity:8.1f}  {with_least_likely_marked(score)}")
    print(f"\ncorpus in {CORPUS}, model in {RUN}. Try next:\n")
    print(f"  langmodel sample {RUN} -n 5 --prefix 'The method returns'")
    print(f"  echo 'This method is deprecated.' | langmodel score {RUN} --per-word")
    return 0
