"""train-classifier, classify and evaluate-classifier from outside: learning, resuming, refusing."""

import json
import os
import re
import signal

import pytest
from safetensors.torch import load_file

import langmodel
from langmodel.classification.config import PRESETS, ClassifierConfig
from langmodel.classification.rates import group_rates
from langmodel.classification.referee import NB_SVMS
from langmodel.classification.trainer import ClassifierTrainer
from langmodel.cli.main import run
from langmodel.errors import ConfigError, ModelFileError
from langmodel.training.trainer import Trainer

SMALL = [
    "--embedding-size",
    "12",
    "--hidden-size",
    "8",
    "--batch-size",
    "10",
    "--learning-rate",
    "0.02",
    "--dropout",
    "0.1",
    "--word-dropout",
    "0",
    "--epochs",
    "6",
    "--threads",
    "1",
]


def train(films, output, *more: str) -> int:
    return run(["train-classifier", str(films), "-o", str(output), *SMALL, *more])


def interrupt_at(monkeypatch, at: int) -> None:
    """Ctrl-C before that step, until `monkeypatch.undo()`."""
    step = ClassifierTrainer._step

    def interrupted(self, *arguments):
        if self.progress.step == at:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *arguments)

    monkeypatch.setattr(ClassifierTrainer, "_step", interrupted)


@pytest.fixture
def trained(films, tmp_path, capsys):
    assert train(films, tmp_path / "run", "--no-compare") == 0
    capsys.readouterr()
    return tmp_path / "run"


def test_a_classifier_learns_and_says_so_on_unseen_texts(trained, unseen, capsys):
    assert run(["evaluate-classifier", str(trained), str(unseen), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"] > 0.95
    assert set(found["f1"]) == {"good", "bad"} and found["texts"] == 40
    assert run(["evaluate-classifier", str(trained), str(unseen)]) == 0
    assert "rows as labelled" in capsys.readouterr().out


def test_every_line_gets_a_row_with_probabilities_that_sum_to_one(trained, tmp_path, capsys):
    file = tmp_path / "texts"
    file.write_text("a lovely film .\n\na dull story .\nwords unknown here\n")
    assert run(["classify", str(trained), str(file)]) == 0
    header, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert header == ["label", "bad", "good"]
    assert [rows[0][0], rows[2][0]] == ["good", "bad"]
    assert len(rows) == 4
    assert all(abs(sum(map(float, row[1:])) - 1) < 1e-5 for row in rows)
    assert run(["classify", str(trained), str(file), "--format", "jsonl"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[3])
    assert (last["words"], last["unknown"]) == (3, 3)


def test_the_page_shows_which_words_speak_for_the_label(trained, tmp_path, capsys):
    file = tmp_path / "texts"
    file.write_text("the <plot> is lovely .\n")
    assert run(["classify", str(trained), str(file), "--format", "html"]) == 0
    page = capsys.readouterr().out
    assert "&lt;plot&gt;" in page or "&lt;" in page
    odds = {word: float(n) for n, word in re.findall(r'title="([-+.\d]+) nats">([^<]+)<', page)}
    assert max(odds, key=odds.__getitem__) == "lovely"
    assert "<script" not in page


def test_long_texts_are_pooled_by_their_mean_unless_told_otherwise(tmp_path, capsys):
    rows = [(label, f"a {word} film . " * 40) for label, word in (("good", "fine"), ("bad", "dull"))] * 6
    (tmp_path / "long").write_text("".join(f"{label} +++$+++ {text}\n" for label, text in rows))
    assert train(tmp_path / "long", tmp_path / "a", "--no-compare", "--epochs", "1") == 0
    assert (
        train(tmp_path / "long", tmp_path / "b", "--no-compare", "--epochs", "1", "--pooling", "max,last")
        == 0
    )
    shapes = [langmodel.load_classifier(tmp_path / name).network.architecture.pooling for name in "ab"]
    assert shapes == [("mean",), ("max", "last")]
    assert "what is not given follows --preset documents" in capsys.readouterr().err
    assert train(tmp_path / "long", tmp_path / "a", "--no-compare", "--epochs", "1", "--resume") == 0


def test_the_same_seed_gives_the_same_bytes_and_python_gives_those_of_the_command(films, tmp_path):
    for name in ("a", "b"):
        assert train(films, tmp_path / name, "--no-compare") == 0
    langmodel.train_classifier(
        films,
        tmp_path / "c",
        embedding_size=12,
        hidden_size=8,
        batch_size=10,
        learning_rate=0.02,
        dropout=0.1,
        word_dropout=0.0,
        epochs=6,
        threads=1,
        compare=False,
        quiet=True,
    )
    files = [(tmp_path / name / "best.safetensors").read_bytes() for name in "abc"]
    assert files[0] == files[1] == files[2]
    assert train(films, tmp_path / "d", "--no-compare", "--seed", "2") == 0
    assert (tmp_path / "d" / "best.safetensors").read_bytes() != files[0]


@pytest.mark.parametrize("at", [1, 7, 8, 20])
def test_an_interrupted_run_goes_on_with_the_same_bits(films, tmp_path, monkeypatch, at):
    assert train(films, tmp_path / "whole", "--no-compare") == 0
    interrupt_at(monkeypatch, at)
    assert train(films, tmp_path / "cut", "--no-compare") == 130
    monkeypatch.undo()
    assert train(films, tmp_path / "cut", "--no-compare", "--resume") == 0
    for name in ("best.safetensors", "last.safetensors", "metrics.jsonl"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("at", [1, 20, 100, 104])
def test_a_refit_learns_the_validation_texts_and_goes_on_with_the_same_bits(
    films, unseen, tmp_path, monkeypatch, capsys, at
):
    more = ("--refit", "--test", str(unseen), "--no-compare", "--epochs", "2")
    assert train(films, tmp_path / "whole", *more) == 0
    said = capsys.readouterr().err
    epochs = int(re.search(r"again with the validation texts, epoch 1 of (\d+)", said).group(1))
    assert said.count("training again") == epochs
    interrupt_at(monkeypatch, at)
    assert train(films, tmp_path / "cut", *more) == 130
    monkeypatch.undo()
    assert train(films, tmp_path / "cut", *more, "--resume") == 0
    for name in ("best.safetensors", "last.safetensors", "metrics.jsonl"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    plain = ("--test", str(unseen), "--no-compare", "--epochs", "2")
    assert train(films, tmp_path / "plain", *plain) == 0
    assert (tmp_path / "plain" / "metrics.jsonl").read_bytes() == (
        tmp_path / "whole" / "metrics.jsonl"
    ).read_bytes()
    assert (tmp_path / "plain" / "best.safetensors").read_bytes() != (
        tmp_path / "whole" / "best.safetensors"
    ).read_bytes()


def test_a_refit_ends_with_the_rate_at_which_the_best_epoch_ended(films, unseen, tmp_path, monkeypatch):
    rates: dict[tuple[int, int], float] = {}

    def observed(config, progress, *others):
        found = group_rates(config, progress, *others)
        rates[progress.refit, progress.epoch] = found[0]
        return found

    monkeypatch.setattr("langmodel.classification.trainer.group_rates", observed)
    monkeypatch.setattr(ClassifierTrainer, "_is_better", lambda self, *_: self.progress.epoch == 1)
    more = ("--refit", "--test", str(unseen), "--no-compare", "--epochs", "4")
    assert train(films, tmp_path / "run", *more) == 0
    assert sorted(rates) == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1)]
    assert rates[1, 1] == pytest.approx(rates[0, 1], rel=0.02)


def test_several_networks_learn_side_by_side_and_go_on_with_the_same_bits(
    films, unseen, tmp_path, monkeypatch, capsys
):
    more = ("--networks", "3", "--no-compare", "--epochs", "2")
    assert train(films, tmp_path / "whole", *more) == 0
    assert "3 networks: LSTM 8" in capsys.readouterr().err
    interrupt_at(monkeypatch, 60)
    assert train(films, tmp_path / "cut", *more) == 130
    monkeypatch.undo()
    assert train(films, tmp_path / "cut", *more, "--resume") == 0
    for name in ("best.safetensors", "metrics.jsonl"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    found = langmodel.load_classifier(tmp_path / "whole")
    weights = [network.output for network in found.network.networks]
    assert len(weights) == 3 and not weights[0].equal(weights[1])
    assert found.evaluate(str(unseen)).accuracy > 0.95
    assert run(["info", str(tmp_path / "whole")]) == 0
    assert "3 networks" in capsys.readouterr().out


def test_self_training_reports_each_round_and_resumes(films, unseen, tmp_path, capsys, monkeypatch):
    few = (
        "--labels",
        "40",
        "--semi",
        "self-training",
        "--unlabelled",
        str(unseen),
        "--rounds",
        "2",
        "--threshold",
        "0.4",
        "--epochs",
        "15",
        "--no-compare",
    )
    assert train(films, tmp_path / "whole", *few) == 0
    said = capsys.readouterr().err
    assert re.search(
        r"round 1: \d+ of \d+ unlabelled texts taken \(bad \d+, good \d+\), [\d.]+% of them right", said
    )
    judge = ClassifierTrainer._judge

    def interrupted(self, observer):
        if self.progress.round == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return judge(self, observer)

    monkeypatch.setattr(ClassifierTrainer, "_judge", interrupted)
    assert train(films, tmp_path / "cut", *few) == 130
    monkeypatch.undo()
    assert train(films, tmp_path / "cut", *few, "--resume") == 0
    assert load_file(tmp_path / "cut" / "best.safetensors").keys()
    for name in ("best.safetensors", "metrics.jsonl"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_no_text_taken_in_a_round_ends_self_training_with_a_remedy(films, unseen, tmp_path, capsys):
    semi = ("--semi", "self-training", "--unlabelled", str(unseen), "--threshold", "0.01", "--no-compare")
    assert train(films, tmp_path / "r", *semi, "--epochs", "1", "--learning-rate", "1e-9") == 0
    assert "a --threshold over 0.01 takes more" in capsys.readouterr().err


def test_pretraining_on_all_texts_both_ways_and_the_models_refuse_what_is_not_theirs(
    films, unseen, tmp_path, capsys
):
    output = tmp_path / "r"
    assert (
        train(
            films,
            output,
            "--semi",
            "pretrain",
            "--unlabelled",
            str(unseen),
            "--pretrain-epochs",
            "1",
            "--lm-loss",
            "0.1",
            "--thaw",
            "1",
            "--no-compare",
        )
        == 0
    )
    models = output / "language-model"
    assert langmodel.load(models / "forward").score("a fine film .").log_prob < 0
    with pytest.raises(ModelFileError, match="reads backward; it is for `train-classifier --from`"):
        langmodel.load(models / "backward")
    with pytest.raises(ModelFileError, match="a classifier, not a language model"):
        langmodel.load(output)
    with pytest.raises(ModelFileError, match="a language model, not a classifier"):
        langmodel.load_classifier(models / "forward")
    assert run(["info", str(models / "backward")]) == 0
    assert "read backward" in capsys.readouterr().out
    two = ("--networks", "2", "--from", str(models / "backward"), "--from", str(models / "forward"))
    assert train(films, tmp_path / "two", *two, "--no-compare") == 0
    assert langmodel.load_classifier(tmp_path / "two").network.architecture.own_embeddings


def test_a_run_stopped_while_it_pretrains_or_after_goes_on_with_the_same_bits(
    films, unseen, tmp_path, monkeypatch
):
    more = ("--semi", "pretrain", "--unlabelled", str(unseen), "--pretrain-epochs", "1", "--no-compare")
    assert train(films, tmp_path / "whole", *more) == 0
    for name, owner, method in (("early", Trainer, "train_step"), ("late", ClassifierTrainer, "_step")):
        plain, calls = getattr(owner, method), []

        def interrupted(self, *arguments, plain=plain, calls=calls):
            calls.append(None)
            if len(calls) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return plain(self, *arguments)

        monkeypatch.setattr(owner, method, interrupted)
        assert train(films, tmp_path / name, *more) == 130
        monkeypatch.undo()
        assert train(films, tmp_path / name, *more, "--resume") == 0
        found = (tmp_path / name / "best.safetensors").read_bytes()
        assert found == (tmp_path / "whole" / "best.safetensors").read_bytes()
    models = tmp_path / "whole" / "language-model"
    both = ("--from", str(models / "backward"), "--from", str(models / "forward"))  # in either order
    assert train(films, tmp_path / "on", *more, *both) == 0


def test_the_referee_is_heard_in_the_end(films, unseen, tmp_path, capsys):
    pytest.importorskip("sklearn")
    assert (
        train(films, tmp_path / "r", "--test", str(unseen), "--epochs", "1", "--learning-rate", "1e-9") == 0
    )
    said = capsys.readouterr().out
    assert "NB-SVM" in said and "naive Bayes" in said
    assert "is better than this network" in said
    result = json.loads((tmp_path / "r" / "run.json").read_text())["result"]
    assert result["NB-SVM"] > result["network"]["accuracy"]
    for bag in NB_SVMS:
        assert f"network and {bag} " in said and result[f"network and {bag}"] >= 0.5


def test_without_scikit_learn_the_extra_is_named(films, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.feature_extraction.text", None)
    assert train(films, tmp_path / "r", "--epochs", "1") == 0
    assert "pip install 'langmodel[classify]'" in capsys.readouterr().err


def test_folds_print_mean_and_spread_and_go_on_after_an_interruption(films, tmp_path, capsys, monkeypatch):
    assert train(films, tmp_path / "whole", "--folds", "3", "--no-compare") == 0
    whole = capsys.readouterr().out.splitlines()
    assert whole[-2].startswith("test accuracy over 3 folds") and "±" in whole[-1]
    step = ClassifierTrainer._step

    def interrupted(self, *arguments):
        if self.progress.step == 3 and not calls:
            calls.append(os.kill(os.getpid(), signal.SIGINT))
        return step(self, *arguments)

    calls: list[None] = []
    assert train(films, tmp_path / "cut", "--folds", "3", "--no-compare", "--epochs", "6") == 0
    monkeypatch.setattr(ClassifierTrainer, "_step", interrupted)
    assert train(films, tmp_path / "cut", "--folds", "3", "--no-compare", "--overwrite") == 130
    capsys.readouterr()
    assert train(films, tmp_path / "cut", "--folds", "3", "--no-compare", "--resume") == 0
    assert capsys.readouterr().out.splitlines()[-1] == whole[-1]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--threshold", "0.7"], "threshold must be over 0 and at most 0.5"),
        (["--semi", "self-training"], "needs unlabelled texts"),
        (["--semi", "magic"], "not one of"),
        (["--l2", "0.1"], "add --dense"),
        (["--networks", "2", "--semi", "pretrain", "--lm-loss", "1"], "is for one network"),
        (["--refit", "--semi", "both"], "leave it out, or --semi"),
        (["--lm-loss", "0.1"], "add --from"),
        (["--labels", "500"], "--labels must be from 2"),
        (["--folds", "3", "--test", "x"], "holds out"),
        (["--resume"], "nothing to resume"),
        (["--resume", "--overwrite"], "cannot be combined"),
        (["--pooling", "sum"], "pooling must be one of"),
        (["--from", "none"], "no such model file"),
        (["--test", "none.csv"], "no such file"),
        (["--max-words", "-1"], "max words must be at least 0"),
    ],
)
def test_bad_input_is_one_line(films, tmp_path, capsys, more, said):
    assert train(films, tmp_path / "r", *more) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("langmodel: error: ") and said in error


def test_a_label_never_seen_and_a_run_that_is_there(trained, films, tmp_path, capsys):
    odd = tmp_path / "odd.txt"
    odd.write_text("ugly +++$+++ a film .\n")
    assert run(["evaluate-classifier", str(trained), str(odd)]) == 2
    assert "label 'ugly' is none of those learnt: bad, good" in capsys.readouterr().err
    assert train(films, tmp_path / "new", "--valid", str(odd)) == 2
    assert "'ugly' is not in the training texts" in capsys.readouterr().err
    assert train(films, trained) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert train(odd, trained, "--resume") == 2
    assert train(films, trained, "--resume", "--hidden-size", "9") == 2
    assert "but the run has" in capsys.readouterr().err


def test_other_texts_are_no_run_to_resume(trained, unseen, capsys):
    assert train(unseen, trained, "--resume") == 2
    assert "was trained on other texts" in capsys.readouterr().err


def test_a_finished_run_has_nothing_left_to_train(trained, films, capsys):
    before = (trained / "best.safetensors").read_bytes()
    assert train(films, trained, "--resume", "--no-compare") == 0
    assert (trained / "best.safetensors").read_bytes() == before


def test_in_python_a_text_or_several(trained):
    classifier = langmodel.load_classifier(trained)
    one = classifier.classify("a great picture .")
    assert one.label == "good" and one.probability > 0.9
    assert [each.label for each in classifier.classify(["a bad film .", "a fine film ."])] == ["bad", "good"]
    with pytest.raises(TypeError, match="expected a text"):
        classifier.classify([3])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="unknown setting 'hidden'"):
        langmodel.train_classifier("x", "y", hidden=3)


def test_other_verbs_say_what_a_classifier_is_for(trained, tmp_path, capsys):
    (tmp_path / "t").write_text("a film .\n")
    for command in ("score", "evaluate"):
        assert run([command, str(trained), str(tmp_path / "t")]) == 2
        assert "a classifier, not a language model" in capsys.readouterr().err
    assert run(["compare", str(trained)]) == 2
    assert "evaluate-classifier" in capsys.readouterr().err


def test_info_describes_a_classifier(trained, capsys):
    assert run(["info", str(trained)]) == 0
    said = capsys.readouterr().out
    assert "bad, good" in said and "classifier" in said


def test_documents_that_begin_with_a_language_model_keep_its_shape_and_the_higher_rate():
    plain = ClassifierConfig()
    alone, begun = (
        plain.suited(800, {"batch_size"}, from_models=from_models) for from_models in (False, True)
    )
    assert (alone.cell, alone.learning_rate, alone.pooling) == ("gru", 1e-3, ("mean",))
    assert (begun.cell, begun.learning_rate, begun.pooling) == ("lstm", 3e-3, ("mean",))
    assert alone.batch_size == begun.batch_size == plain.batch_size
    assert plain.suited(800, ()).batch_size == 16 and plain.suited(100, ()) == plain


def test_a_named_preset_leaves_nothing_to_that_of_documents():
    for preset in PRESETS.values():
        assert set(PRESETS["documents"].settings) <= set(preset.settings)


@pytest.mark.parametrize("preset", ["keras-sentiment", "keras-imdb"])
def test_presets_of_the_tutorials_run(films, tmp_path, preset):
    arguments = ["train-classifier", str(films), "-o", str(tmp_path / "r"), "--preset", preset]
    assert run([*arguments, "--epochs", "1", "--hidden-size", "8", "--no-compare"]) == 0
    classifier = langmodel.load_classifier(tmp_path / "r")
    assert classifier.max_words in (40, 80)
    assert len(classifier.encode("word " * 100)) == classifier.max_words + 1
