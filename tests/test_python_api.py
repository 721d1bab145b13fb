"""The library's functions do what the commands do, byte for byte, and show what they give back."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from conftest import make_model

import langmodel
from langmodel.cli.main import run
from langmodel.errors import ConfigError

SMALL = {"embedding_size": 8, "hidden_size": 8, "batch_size": 2, "bptt": 4, "epochs": 2}
FLAGS = [word for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture
def text(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "t.txt"
    file.write_text("The cat sat on the mat. The dog saw Anna.\n" * 40)
    return file


def test_the_functions_write_the_bytes_that_the_commands_write(text, tmp_path):
    assert run(["preprocess", "t.txt", "-o", "c1", "--min-count", "1"]) == 0
    corpus = langmodel.preprocess(text.name, "c2", min_count=1, quiet=True)
    for name in ("train.npy", "vocabulary.json", "corpus.json"):
        assert (tmp_path / "c1" / name).read_bytes() == (tmp_path / "c2" / name).read_bytes()
    assert run(["train", "c1", "-o", "r1", *FLAGS, "--threads", "1"]) == 0
    made = langmodel.train(corpus, "r2", **SMALL, threads=1, quiet=True)
    for name in ("best.safetensors", "last.safetensors"):
        assert (tmp_path / "r1" / name).read_bytes() == (tmp_path / "r2" / name).read_bytes()
    assert made.finished
    assert made.exit_code == 0
    assert [row["epoch"] for row in made.metrics] == [1, 2]
    assert (
        repr(langmodel.open_run("r2")) == f"<Run r2: best perplexity {made.best_perplexity:,.2f}, finished>"
    )


def test_unknown_settings_are_refused_with_the_known_names(text):
    with pytest.raises(ConfigError, match=r"preprocess: unknown setting 'vocab'; known: case, min_count"):
        langmodel.preprocess("t.txt", "c", vocab=9)
    corpus = langmodel.preprocess("t.txt", "c", quiet=True)
    with pytest.raises(ConfigError, match=r"train: unknown setting 'size'; known: cell, embedding_size"):
        langmodel.train(corpus, "r", size=3)
    with pytest.raises(ConfigError, match=r"train: epochs has the wrong type: 'two'"):
        langmodel.train(corpus, "r", epochs="two")
    with pytest.raises(ConfigError, match=r"unknown setting 'temprature'; known: temperature"):
        make_model().sample(1, temprature=0.5)


def test_an_interrupt_saves_and_returns_and_leaves_no_handler_behind(text):
    corpus = langmodel.preprocess("t.txt", "c", quiet=True)
    before = signal.getsignal(signal.SIGINT)

    def stop(_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    cut = langmodel.train(corpus, "r", **SMALL, on_evaluation=stop, quiet=True, threads=1)
    assert cut.exit_code == 130
    assert not cut.finished
    assert len(cut.metrics) == 1
    assert signal.getsignal(signal.SIGINT) is before
    whole = langmodel.train(corpus, "r", resume=True, quiet=True, threads=1)
    assert whole.finished


def test_an_observer_is_told_of_the_start_every_step_evaluation_and_save(text):
    corpus = langmodel.preprocess("t.txt", "c", quiet=True)
    told = []

    class Everything(langmodel.Observer):
        def on_start(self, untrained_loss, total_tokens):
            told.append(("start", round(untrained_loss, 1), total_tokens))

        def on_step(self, loss, tokens):
            told.append(("step", tokens))

        def on_evaluation(self, evaluation):
            told.append(("evaluation", evaluation.step))

        def on_save(self, state):
            told.append(("save", state.values["progress"]["step"]))

    run = langmodel.train(corpus, "r", **SMALL, observer=Everything(), quiet=True, threads=1)
    kinds = [kind for kind, *_ in told]
    assert kinds[0] == "start"
    assert told[0][2] == sum(tokens for kind, tokens, *_ in told if kind == "step")
    assert kinds.count("evaluation") == len(run.metrics)
    assert [step for kind, step, *_ in told if kind == "evaluation"] == [row["step"] for row in run.metrics]
    assert kinds[-1] == "save"


def test_what_an_observer_raises_ends_the_run_which_can_be_resumed(text):
    corpus = langmodel.preprocess("t.txt", "c", quiet=True)

    def fail(_: object) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        langmodel.train(corpus, "r", **SMALL, on_evaluation=fail, quiet=True, threads=1)
    assert langmodel.train(corpus, "r", resume=True, quiet=True, threads=1).finished


def test_training_outside_the_main_thread_installs_no_handler(text):
    corpus = langmodel.preprocess("t.txt", "c", quiet=True)
    found = []
    thread = threading.Thread(
        target=lambda: found.append(langmodel.train(corpus, "r", **SMALL, quiet=True, threads=1))
    )
    thread.start()
    thread.join()
    assert found[0].finished


def test_what_is_shown_is_short_and_escaped(text):
    corpus = langmodel.preprocess("t.txt", "c", quiet=True)
    assert len(repr(corpus)) < 200
    assert "<table>" in corpus._repr_html_()
    lm = make_model(words=("a", "<img>", "c"))
    score = lm.score("a <img> zzz")
    assert repr(score).startswith("<SentenceScore 'a <img> zzz': log_prob -")
    shown = score._repr_html_()
    assert "<img>" not in shown
    assert "&lt;img&gt;" in shown
    assert 'class="w oov' in shown
    samples = lm.sample(3, seed=1, temperature=0.9)
    assert samples._repr_html_().count("<li>") == 3
    assert "<img>" not in samples._repr_html_()


def test_scores_tell_what_was_expected():
    lm = make_model()
    score = lm.score("a b")
    expected = score.words[0].expected
    assert [word.probability for word in expected] == sorted((w.probability for w in expected), reverse=True)
    assert [word.word for word in expected[:3]] == [word.word for word in lm.next_words("", k=3)]
    best = lm.next_words("", k=1)[0].word
    assert score.words[0].rank == 1 or score.words[0].word != best


def test_a_file_is_read_as_its_model_s_corpus_was(text):
    corpus = langmodel.preprocess("t.txt", "c", quiet=True, valid_fraction=0, test_fraction=0)
    lm = make_model(words=corpus.vocabulary.words)
    lm.pipeline, lm.vocabulary = corpus.pipeline, corpus.vocabulary
    assert lm.evaluate("t.txt").tokens == corpus.statistics["train"].targets
    assert lm.evaluate(Path("t.txt")).log_prob == lm.evaluate(text.read_text().splitlines()).log_prob
    with pytest.raises(langmodel.LangModelError, match="no words"):
        lm.evaluate([])


@pytest.mark.filterwarnings("ignore")  # tqdm's own, where a notebook has no widgets
def test_a_notebook_gets_its_bar_and_a_pipe_none(monkeypatch):
    from langmodel.display.bars import progress_bar

    with progress_bar("training", 10) as plain:
        assert plain.disable
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    with progress_bar("training", 10) as shown:
        assert not shown.disable
        shown.update(10)
    assert shown.n == 10
