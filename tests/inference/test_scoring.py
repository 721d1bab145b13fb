import itertools
import math
import random

import numpy as np
import pytest
import torch
from conftest import CELLS, make_model
from hypothesis import given, settings
from hypothesis import strategies as st

import langmodel
from langmodel.errors import ConfigError, LangModelError, SamplingError
from langmodel.inference import scoring
from langmodel.storage.model_file import SavedModel, save_model
from langmodel.text.vocabulary import END_ID, START_ID

lines = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "d", "e", "zebra"]), max_size=12).map(" ".join), max_size=12
)


def uniform_model():
    lm = make_model()
    with torch.no_grad():
        for parameter in lm.network.parameters():
            parameter.zero_()
    return lm


def test_a_uniform_model_scores_every_word_one_over_the_vocabulary():
    score = uniform_model().score("a b")
    # Five words, UNK and END share the probability; START has none.
    assert score.log_prob == pytest.approx(-3 * math.log(7))  # a, b, END
    assert score.perplexity == pytest.approx(7)
    assert [word.surprisal for word in score.words] == pytest.approx([math.log2(7)] * 3)


@pytest.mark.parametrize("cell", CELLS)
def test_all_sentences_up_to_a_length_and_the_unfinished_ones_sum_to_one(cell):
    lm = make_model(cell, words=("a",))
    lm.network.double()
    length = 4

    def probability(words: tuple[str, ...], finished: bool) -> float:
        scored = lm.score(" ".join(words)).words
        return math.exp(sum(w.log_prob for w in (scored if finished else scored[:-1])))

    total = sum(
        probability(words, finished=True)
        for n in range(length)
        for words in itertools.product(("a", "zebra"), repeat=n)  # zebra is UNK
    )
    total += sum(
        probability(words, finished=False) for words in itertools.product(("a", "zebra"), repeat=length)
    )
    assert total == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("cell", CELLS)
@given(lines, st.integers(0, 100))
@settings(max_examples=20)
def test_a_sentence_scores_the_same_alone_in_any_company_and_order(cell, lines, seed):
    lm = make_model(cell)
    alone = {line: lm.score(line) for line in lines}
    together = list(lm.score_lines(lines))
    assert [score.text for score in together] == lines
    random.Random(seed).shuffle(lines)
    for score in [*together, *lm.score_lines(lines)]:
        for ours, theirs in zip(score.words, alone[score.text].words, strict=True):
            assert ours.log_prob == pytest.approx(theirs.log_prob, abs=1e-5)


def test_more_lines_than_a_block_keep_their_order(monkeypatch):
    monkeypatch.setattr(scoring, "BLOCK_SENTENCES", 5)
    monkeypatch.setattr(scoring, "BATCH_SENTENCES", 2)
    lm = make_model()
    lines = ["a " * (n * 7 % 11) for n in range(23)]
    for line, score in zip(lines, lm.score_lines(iter(lines)), strict=True):
        assert score.text == line
        assert score.log_prob == pytest.approx(lm.score(line).log_prob, abs=1e-5)


def test_a_long_sentence_is_read_in_windows_without_a_seam(monkeypatch):
    lm = make_model("gru")
    lm.network.double()
    text = "a b c d e " * 9
    whole = lm.score(text).log_prob
    monkeypatch.setattr(scoring, "EVALUATION_STEPS", 4)
    assert lm.score(text).log_prob == pytest.approx(whole, abs=1e-10)


def test_one_text_is_not_taken_for_several_nor_several_for_one():
    lm = make_model()
    for call in (lm.log_probs, lm.score_lines, lm.evaluate_lines, lambda one: lm.sample(1, ban=one)):
        with pytest.raises(TypeError, match=r"expected several texts, got one: 'a b'; put it in a list"):
            call("a b")
    for call in (lm.next_words, lm.hidden_states):
        with pytest.raises(TypeError, match="expected a sentence as str, got list"):
            call(["a b"])
    assert [score.log_prob for score in lm.score(["a b", "c"])] == [
        lm.score("a b").log_prob,
        lm.score("c").log_prob,
    ]


def test_the_empty_line_is_the_probability_of_end_after_start():
    lm = make_model()
    score = lm.score("")
    (end,) = score.words
    assert (end.word, end.oov) == ("</s>", False)
    expected = {w.word: w.log_prob for w in lm.next_words("", k=9)}["</s>"]
    assert score.log_prob == pytest.approx(expected, abs=1e-6)


def test_a_word_outside_the_vocabulary_keeps_its_surface_and_is_flagged():
    score = make_model().score("A Zebra b")
    assert [(w.word, w.oov) for w in score.words] == [
        ("A", False),
        ("Zebra", True),
        ("b", False),
        ("</s>", False),
    ]
    assert (score.oov, score.tokens) == (1, 4)
    assert score.likelihood.oov_nll == pytest.approx(-score.words[1].log_prob)


def test_the_chain_rule_ties_scores_to_next_words():
    lm = make_model("rnn")
    words = ["b", "d", "a"]
    score = lm.score(" ".join(words))
    for at, scored in enumerate(score.words):
        next_words = {w.word: w.log_prob for w in lm.next_words(" ".join(words[:at]), k=99)}
        assert next_words[scored.word] == pytest.approx(scored.log_prob, abs=1e-5)


def test_next_words_are_a_distribution_without_start():
    words = make_model().next_words("a zebra", k=999)
    assert sum(w.probability for w in words) == pytest.approx(1, abs=1e-6)
    assert "<s>" not in {w.word for w in words}
    assert [w.log_prob for w in words] == sorted((w.log_prob for w in words), reverse=True)
    with pytest.raises(ConfigError):
        make_model().next_words("a", k=0)


def test_the_state_is_carried_from_line_to_line_only_in_a_document():
    lm = make_model("lstm")
    twice = list(lm.score_lines(["a b", "a b"]))
    assert twice[0].log_prob == pytest.approx(twice[1].log_prob, abs=1e-6)
    first, second = lm.score_lines(["a b", "a b"], context="document")
    assert first.log_prob == pytest.approx(twice[0].log_prob, abs=1e-6)
    assert abs(second.log_prob - first.log_prob) > 1e-4
    state = lm.network.zero_state(1)
    with torch.no_grad():
        for read in ([START_ID, 3, 4], [START_ID, 3, 4]):
            _, state = lm.network(torch.tensor(read).unsqueeze(1), state)
    with pytest.raises(ConfigError):
        lm.score_lines(["a"], context="paragraph")


@pytest.mark.parametrize("context", ["document", "sentence"])
def test_a_text_evaluates_as_its_lines_score(context):
    lm = make_model()
    lines = ["a b c", "", "zebra d", "e"]
    result = lm.evaluate_lines(lines, context)
    scores = list(lm.score_lines([line for line in lines if line], context))
    assert result.log_prob == pytest.approx(sum(score.log_prob for score in scores))
    assert (result.tokens, result.oov) == (9, 1)
    assert result.perplexity == pytest.approx(math.exp(-result.log_prob / 9))
    known = result.log_prob + result.oov_nll
    assert result.perplexity_excluding_oov == pytest.approx(math.exp(-known / 8))


def test_a_file_evaluates_as_its_lines_do_and_an_encoded_text_as_well(tmp_path):
    lm = make_model()
    lines = ["a b c", "d zebra e", "b"]
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n")
    whole = lm.evaluate(lines)
    assert lm.evaluate(tmp_path / "text.txt") == lm.evaluate(str(tmp_path / "text.txt")) == whole
    ids = [id for line in lines for id in (*lm.pipeline.encode(line.split(), lm.vocabulary), END_ID)]
    for context in (None, "document", "sentence"):
        encoded = lm.evaluate_ids(np.array(ids, np.uint16), context)
        assert encoded.log_prob == pytest.approx(lm.evaluate_lines(lines, context).log_prob)
    assert lm.evaluate_ids(np.array(ids), "document").log_prob != pytest.approx(whole.log_prob)


def test_a_model_loads_from_its_file_alone_and_scores_the_same(tmp_path):
    lm = make_model()
    save_model(
        tmp_path / "best.safetensors",
        SavedModel(network=lm.network, vocabulary=lm.vocabulary, pipeline=lm.pipeline, context="document"),
    )
    for path in (tmp_path, tmp_path / "best.safetensors", str(tmp_path)):
        assert langmodel.load(path).score("a b zebra") == lm.score("a b zebra")


def test_a_long_sentence_is_scored_in_small_company(monkeypatch):
    lm = make_model()
    lines = ["a b", "c " * 300, "d", "e a " * 20]
    together = [score.log_prob for score in lm.score_lines(lines)]
    widths = []
    real = scoring._score_batch
    monkeypatch.setattr(scoring, "BATCH_TOKENS", 100)
    monkeypatch.setattr(
        scoring, "_score_batch", lambda n, s, *rest: widths.append(len(s)) or real(n, s, *rest)
    )
    assert [score.log_prob for score in lm.score_lines(lines)] == pytest.approx(together, rel=1e-5)
    assert widths == [2, 1, 1]


def test_weights_that_overflow_are_told_and_not_scored():
    lm = make_model()
    with torch.no_grad():
        for parameter in lm.network.parameters():
            parameter.fill_(3e38)
    with pytest.raises(LangModelError, match="overflow"):
        lm.score("a b")
    with pytest.raises(SamplingError, match="overflow"):
        lm.sample(2, seed=1)
