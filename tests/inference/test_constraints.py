"""Samples under constraints: words, lengths, copies, and what ruling out UNK costs."""

import itertools
import json
import math
from collections import Counter

import numpy as np
import pytest
import torch
from conftest import make_model
from hypothesis import given
from hypothesis import strategies as st

from langmodel.cli.main import run
from langmodel.errors import ConfigError, SamplingError
from langmodel.inference.drawing import SamplingRequest
from langmodel.inference.filters import typical_p
from langmodel.inference.language_model import LanguageModel
from langmodel.inference.settings import SamplingSettings
from langmodel.network.output_layer import OutputLayer
from langmodel.ngrams.copied_runs import CopiedRuns
from langmodel.storage.model_file import SavedModel, save_model
from langmodel.text.pipeline import Pipeline
from langmodel.text.vocabulary import END_ID, UNK_ID, Vocabulary

LM = make_model()


def test_a_banned_word_is_never_drawn_and_an_unknown_one_is_left_aside():
    words = Counter(w for s in LM.sample(300, seed=1, ban=["b", "zzz"]) for w in s.words)
    assert "b" not in words
    assert set(words) == {"a", "c", "d", "e"}


def test_all_sentences_have_the_words_to_include_in_their_natural_proportion():
    asked = LM.sample(2_000, seed=1, include=["b"], settings=SamplingSettings(max_length=3))
    free = LM.sample(6_000, seed=2, settings=SamplingSettings(max_length=3))
    assert all("b" in s.words for s in asked)
    natural = Counter(s.words for s in free if "b" in s.words)
    most, count = natural.most_common(1)[0]
    share = Counter(s.words for s in asked)[most] / len(asked)
    assert share == pytest.approx(count / natural.total(), abs=0.05)


def test_an_unknown_word_to_include_is_refused_and_an_impossible_one_gives_up():
    with pytest.raises(ConfigError, match="'zzz' is not in the vocabulary"):
        LM.sample(1, include=["zzz"])
    with pytest.raises(SamplingError, match=r"0 of 2\d+ sentences had the word 'b'; ask for a likelier"):
        LM.sample(2, seed=1, include=["b"], ban=["b"])


def test_what_the_tokenizer_cuts_is_banned_and_included_as_a_whole():
    words = make_model(words=("do", "n't", "a"))
    lm = LanguageModel(words.network, words.vocabulary, Pipeline(sentences="line"))
    free = lm.sample(400, seed=1)
    assert sum("do n't" in " ".join(s.words) for s in free) > 10
    banned = lm.sample(200, seed=1, ban=["don't"])
    assert not any("do n't" in " ".join(s.words) for s in banned)
    assert any("do" in s.words for s in banned)
    assert any("n't" in s.words for s in banned)
    assert all("do n't" in " ".join(s.words) for s in lm.sample(20, seed=1, include=["Don't"]))
    assert lm.sample(1, seed=1, prefix="do n't", ban=["don't"])[0].words[:2] == ("do", "n't")
    assert all(s.words[:2] != ("do", "n't") for s in lm.sample(99, seed=1, prefix="do", ban=["don't"]))
    with pytest.raises(ConfigError, match="2 words here"):
        lm.likeliest(2, ban=["don't"])


def test_the_same_sentence_is_not_drawn_again_and_again():
    (likeliest,) = LM.sample(1, settings=SamplingSettings(temperature=0.0, max_length=5))
    absent = next(word for word in "abcde" if word not in likeliest.words)
    with pytest.raises(SamplingError, match="0 of 1 sentences"):
        LM.sample(1, include=[absent], settings=SamplingSettings(temperature=0.0, max_length=5))


def test_a_sentence_with_unk_has_no_probability_under_the_model_without():
    sentences = LM.sample(200, seed=1, settings=SamplingSettings(unk="keep"))
    for sentence in sentences:
        assert sentence.has_unk == ("<unk>" in sentence.words)
        assert (sentence.log_prob_without_unk == -math.inf) == sentence.has_unk
    assert 10 < sum(sentence.has_unk for sentence in sentences) < 190


def test_a_sentence_can_carry_its_longest_copied_run():
    text = np.array([3, 4, 5, END_ID, 6, 7, END_ID])
    sentences = LM.sample(100, seed=1, copies=CopiedRuns(text, 8, 4))
    runs = Counter(sentence.longest_copied_run for sentence in sentences)
    assert {1, 2} <= set(runs)
    assert LM.sample(1, seed=1)[0].longest_copied_run is None
    for sentence in sentences:
        if {("a", "b"), ("b", "c"), ("d", "e")} & set(itertools.pairwise(sentence.words)):
            assert sentence.longest_copied_run >= 2


@pytest.mark.parametrize("length", [1, 2, 5, 120])
def test_an_exact_length_is_kept_and_its_end_is_counted(length):
    for sentence in LM.sample(50, seed=1, prefix="a", settings=SamplingSettings(length=length)):
        assert len(sentence.words) == length
        assert sentence.finished
        assert sentence.words[0] == "a"
        after_prefix = sum(w.log_prob for w in LM.score(" ".join(sentence.words)).words[1:])
        assert sentence.log_prob == pytest.approx(after_prefix, abs=1e-4)
    with pytest.raises(ConfigError, match="length is 2, raise it"):
        LM.sample(1, prefix="a b c", settings=SamplingSettings(length=2))


def test_the_log_probability_without_unk_is_that_of_the_renormalised_model():
    for sentence in LM.sample(20, seed=3):
        ids = LM.pipeline.encode(sentence.words, LM.vocabulary)
        expected = kept = 0.0
        for place, id in enumerate([*ids, END_ID]):
            with torch.inference_mode():
                hidden, _ = LM.network.read(ids[:place])
                log_probs = LM.network.output_layer.log_probabilities(hidden)[0]
            known = log_probs.clone()
            known[UNK_ID] = -math.inf
            expected += float(known.log_softmax(0)[id])
            kept += math.log1p(-float(log_probs[UNK_ID].exp()))
        if sentence.finished:
            assert sentence.log_prob_without_unk == pytest.approx(expected, abs=1e-4)
            assert sentence.unk_mass == pytest.approx(1 - math.exp(kept), abs=1e-5)


@pytest.mark.parametrize("bias", [30.0, 200.0])
def test_the_log_probability_without_unk_is_exact_where_unk_is_all_but_certain(bias):
    lm = make_model("rnn")
    with torch.no_grad():
        lm.network.output_bias[UNK_ID] = bias
    (sentence,) = lm.sample(1, seed=1, settings=SamplingSettings(length=1))
    hidden = torch.stack(
        [lm.network.read(lm.pipeline.encode(sentence.words[:n], lm.vocabulary))[0][0] for n in (0, 1)]
    )
    known = (
        OutputLayer(lm.network.output_weight.detach(), lm.network.output_bias.detach())
        .logits(hidden.detach())
        .double()
    )
    known[:, UNK_ID] = -math.inf
    drawn = [lm.vocabulary.id_of(sentence.words[0]), END_ID]
    expected = float(known.log_softmax(1)[[0, 1], drawn].sum())
    assert sentence.log_prob_without_unk == pytest.approx(expected, abs=1e-3)


def test_typical_words_are_those_of_surprisal_nearest_the_entropy():
    # Entropy 1.28 nats; surprisals 0.69, 1.39, 2.08, 2.77: the second is the most typical, then the first.
    probabilities = torch.tensor([[0.5, 0.25, 0.125, 0.0625, 0.0625]])

    def kept(p: float) -> list[int]:
        return (typical_p(p)(probabilities.log()) > -math.inf)[0].nonzero().squeeze(1).tolist()

    assert kept(0.2) == [1]
    assert kept(0.7) == [0, 1]
    assert kept(1.0) == [0, 1, 2, 3, 4]


def all_sentences(most: int) -> dict[tuple[str, ...], float]:
    words = LM.vocabulary.words
    return {
        sentence: LM.score(" ".join(sentence)).log_prob
        for length in range(1, most + 1)
        for sentence in itertools.product(words, repeat=length)
    }


def test_a_wide_beam_finds_the_likeliest_of_all_sentences():
    expected = sorted(all_sentences(3).items(), key=lambda pair: -pair[1])[:5]
    found = LM.likeliest(200, settings=SamplingSettings(max_length=3))[:5]
    assert [s.words for s in found] == [words for words, _ in expected]
    assert [s.log_prob for s in found] == pytest.approx([log_prob for _, log_prob in expected], abs=1e-4)


def test_a_beam_keeps_to_lengths_prefix_and_bans():
    found = LM.likeliest(6, prefix="a b", settings=SamplingSettings(length=4), ban=["c"])
    assert len(found) == 6
    for sentence in found:
        assert sentence.words[:2] == ("a", "b")
        assert len(sentence.words) == 4
        assert "c" not in sentence.words
    assert found == sorted(found, key=lambda s: -s.log_prob)
    assert all(0 < sentence.unk_mass < 1 for sentence in found)
    with pytest.raises(SamplingError, match="every word is ruled out"):
        LM.likeliest(2, ban=list(LM.vocabulary.words))


IDS = st.lists(st.integers(3, 6), max_size=14)


@given(st.lists(IDS, min_size=1, max_size=6), IDS, st.integers(1, 6))
def test_the_longest_copied_run_is_that_of_a_search_through_the_text(sentences, words, longest):
    stream = np.array([id for sentence in sentences for id in [*sentence, END_ID]], np.uint16)

    def stands(run: list[int]) -> bool:
        return any(run == s[i : i + len(run)] for s in sentences for i in range(len(s)))

    runs = [words[i:j] for i in range(len(words)) for j in range(i + 1, len(words) + 1)]
    expected = max((len(run) for run in runs if len(run) <= longest and stands(run)), default=0)
    assert CopiedRuns(stream, 7, longest).longest_run(words) == expected


def test_unknown_words_are_no_copy():
    assert CopiedRuns(np.array([3, UNK_ID, 4, END_ID]), 7, 3).longest_run([3, UNK_ID, 4]) == 1


def test_sentences_that_copy_are_drawn_again_and_a_memorised_text_gives_none():
    text = np.array([id for s in ([3, 4, 5], [4, 4], [5, 6, 7]) for id in [*s, END_ID]])
    runs = CopiedRuns(text, len(LM.vocabulary), 3)
    settings = SamplingSettings(max_length=6)
    drawn = list(LM.draw(200, SamplingRequest(settings=settings, copies=runs, most_copied=2), seed=1))
    assert len(drawn) == 200
    tries = [tries for _, tries in drawn]
    assert tries == sorted(set(tries))
    assert tries[-1] > 200
    for sentence, _ in drawn:
        ids = LM.pipeline.encode(sentence.words, LM.vocabulary)
        assert runs.longest_run(ids) <= 2
    everything = np.array([id for s in itertools.product(range(3, 8), repeat=2) for id in [*s, END_ID]])
    with pytest.raises(ConfigError, match="the prefix copies more than 1 words"):
        LM.sample(1, prefix="a b", copies=CopiedRuns(np.array([3, 4, 5, END_ID]), 8, 2), most_copied=1)
    learnt = CopiedRuns(everything, len(LM.vocabulary), 2)
    with pytest.raises(SamplingError, match=r"copied at most 1 words .* raise --max-overlap"):
        LM.sample(3, seed=1, settings=SamplingSettings(min_length=2), copies=learnt, most_copied=1)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved = SavedModel(network=LM.network, vocabulary=LM.vocabulary, pipeline=LM.pipeline, context="sentence")
    save_model(tmp_path / "m.safetensors", saved)
    return tmp_path


def test_constraints_from_the_command_line(place, capsys):
    (place / "beginnings").write_text("a\nb c\n")
    (place / "never").write_text("d\nzzz\n\n")
    line = "sample m.safetensors -n 3 --prefixes beginnings --ban e --ban-file never --include a --length 4"
    assert run([*line.split(), "--seed", "1", "--format", "jsonl"]) == 0
    captured = capsys.readouterr()
    rows = [json.loads(row) for row in captured.out.splitlines()]
    assert [row["words"][:1] for row in rows] == [["a"]] * 3 + [["b"]] * 3
    for row in rows:
        assert len(row["words"]) == 4
        assert not {"d", "e"} & set(row["words"])
        assert "a" in row["words"]
        assert 0 < row["unk_mass"] < 1
        assert row["log_prob_without_unk"] > row["log_prob"]
    assert "'zzz' is not in the vocabulary" in captured.err
    assert "sentences drawn" in captured.err
    assert run("sample m.safetensors --beam 3 --max-length 5 --format tokens".split()) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ("--include zzz", 2, "'zzz' is not in the vocabulary"),
        ("--prefix a --prefixes p", 2, "cannot be combined"),
        ("--beam 3 --include a", 2, "--beam draws nothing"),
        ("--beam 3 --temperature 0.5", 2, "--beam draws nothing"),
        ("--unk copy-rare", 2, "name the corpus directory"),
        ("--max-overlap 3", 2, "name the corpus directory"),
        ("--prefixes none", 2, "none: no such file"),
        ("--typical-p 0", 2, "typical-p must be over 0"),
        ("--length -1", 2, "length must be at least 0"),
        ("--ban a --ban b --ban c --ban d --ban e", 1, "every word is ruled out"),
    ],
)
def test_bad_constraints_are_one_line(place, capsys, line, code, reason):
    assert run(["sample", "m.safetensors", *line.split()]) == code
    captured = capsys.readouterr()
    assert reason in captured.err
    assert captured.out == ""


def test_max_overlap_reads_the_run_s_own_corpus(poem_corpus, tmp_path, capsys):
    made = str(tmp_path / "run")
    train = ["train", str(poem_corpus.path), "-o", made, "--no-baselines", "--epochs", "1"]
    assert run([*train, "--hidden-size", "8", "--embedding-size", "8"]) == 0
    capsys.readouterr()
    assert run(["sample", made, "-n", "20", "--max-overlap", "2", "--seed", "1", "--format", "tokens"]) == 0
    runs = CopiedRuns(poem_corpus.split("train"), len(poem_corpus.vocabulary), 9)
    for line in capsys.readouterr().out.splitlines():
        assert runs.longest_run([poem_corpus.vocabulary.id_of(word) for word in line.split()]) <= 2


def test_rare_words_stand_for_unk_in_proportion_to_their_counts():
    rare = Vocabulary(["often", "seldom"], [3, 1])
    settings = SamplingSettings(unk="copy-rare", max_length=10)
    sentences = LM.sample(2_000, seed=1, settings=settings, rare_words=rare)
    kept = LM.sample(2_000, seed=1, settings=SamplingSettings(unk="keep", max_length=10))
    counts: Counter[str] = Counter()
    for sentence, plain in zip(sentences, kept, strict=True):
        assert sentence.log_prob == plain.log_prob  # to the model, they were UNK
        assert [at for at, word in enumerate(plain.words) if word == "<unk>"] == list(sentence.filled)
        counts.update(sentence.words[at] for at in sentence.filled)
        assert "<unk>" not in sentence.words
    assert set(counts) == {"often", "seldom"}
    assert counts["often"] / counts.total() == pytest.approx(0.75, abs=0.03)
    with pytest.raises(ConfigError, match="copy-rare needs words"):
        LM.sample(1, settings=settings)


def test_rare_words_come_from_the_run_s_corpus(tmp_path, capsys):
    (tmp_path / "text").write_text("a b a b\nrare a\nb a odd\na b\n" * 3)
    corpus, made = str(tmp_path / "c"), str(tmp_path / "r")
    cut = "--tokenizer whitespace --sentences line --vocabulary-size 5 --valid-fraction 0 --test-fraction 0"
    assert run(["preprocess", str(tmp_path / "text"), "-o", corpus, *cut.split()]) == 0
    train = "--epochs 1 --hidden-size 4 --embedding-size 4 --batch-size 2"
    assert run(["train", corpus, "-o", made, *train.split()]) == 0
    capsys.readouterr()
    sample = "-n 30 --seed 1 --unk copy-rare --format jsonl --max-length 8"
    assert run(["sample", made, *sample.split()]) == 0
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert {row["words"][at] for row in rows for at in row["filled"]} == {"rare", "odd"}
    assert "rare words of the text" in captured.err


def test_beam_search_over_overflowing_weights_says_so():
    lm = make_model()
    with torch.no_grad():
        lm.network.output_bias.fill_(float("inf"))
    with pytest.raises(SamplingError, match="numbers overflow"):
        lm.likeliest(2)
