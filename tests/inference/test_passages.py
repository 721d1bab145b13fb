import itertools
import math

import pytest
import torch
from conftest import make_model
from hypothesis import given
from hypothesis import strategies as st

from langmodel.errors import ConfigError
from langmodel.inference.balance import Balance
from langmodel.inference.settings import SamplingSettings
from langmodel.text.vocabulary import END_ID, START_ID, Vocabulary

QUOTING = ("a", "b", "“", "”", "(", ")")


def test_a_passage_is_drawn_with_the_state_carried_over():
    lm = make_model("gru")
    settings = SamplingSettings(sentences=3, max_length=8)
    for sentence in lm.sample(20, seed=2, settings=settings):
        if not sentence.finished:
            continue
        network, total, state = lm.network, 0.0, lm.network.zero_state(1)
        # Read again from its words alone: each sentence's END is followed by START, and the state goes on.
        ids = drawn_ids(lm, sentence)
        inputs = torch.tensor([START_ID, *(START_ID if id == END_ID else id for id in ids)]).unsqueeze(1)
        hidden, _ = network(inputs, state)
        log_probs = network.output_layer.log_probabilities(hidden[:, 0])
        total = float(sum(row[id] for row, id in zip(log_probs, [*ids, END_ID], strict=True)))
        assert sentence.log_prob == pytest.approx(total, abs=1e-4)


def drawn_ids(lm, sentence):
    """The ids of a passage: its text has no mark between sentences, so the sampler tells."""
    from langmodel.inference.sampling import sample_ids

    generator = torch.Generator().manual_seed(2)
    settings = SamplingSettings(sentences=3, max_length=8)
    balance = Balance.of(lm.vocabulary)
    for drawn, _ in sample_ids(lm.network, 20, settings, balance=balance, generator=generator):
        if drawn.log_prob == sentence.log_prob:
            return drawn.ids
    raise AssertionError("not drawn")


def test_one_sentence_is_what_it_was_and_more_begin_alike():
    lm = make_model()
    one = lm.sample(5, seed=3)
    assert [s.text for s in one] == [s.text for s in lm.sample(9, seed=3)][:5]
    passage = lm.sample(4, seed=3, settings=SamplingSettings(sentences=2))
    for whole, first in zip(passage, one, strict=False):
        assert whole.text.startswith(first.text)


def test_marks_close_before_a_passage_ends():
    lm = make_model(words=QUOTING)
    for sentences in (1, 3):
        settings = SamplingSettings(sentences=sentences, max_length=12)
        for drawn in lm.sample(200, seed=1, settings=settings):
            assert is_balanced(drawn.words), drawn.text
        loose = SamplingSettings(sentences=sentences, max_length=12, balance=False)
        assert not all(is_balanced(drawn.words) for drawn in lm.sample(200, seed=1, settings=loose))


def is_balanced(words) -> bool:
    owed = []
    for word in words:
        if word in "“(":
            owed.append({"“": "”", "(": ")"}[word])
        elif word in "”)" and (not owed or owed.pop() != word):
            return False
    return not owed


def test_what_is_ruled_out_is_renormalised():
    """Every sentence up to two words, and its probability without what would leave a mark open."""
    lm = make_model(words=("a", "“", "”"))
    settings = SamplingSettings(max_length=2)
    counts: dict[str, int] = {}
    n = 20_000
    for drawn in lm.sample(n, seed=4, settings=settings):
        counts[drawn.text] = counts.get(drawn.text, 0) + 1
    assert set(counts) <= {"a", "a a", "“ ”"}  # "” …" closes nothing, "“ a" and "a “" could not close
    probability = {w.word: w.probability for w in lm.next_words("", k=5)}
    allowed = probability["a"] + probability["“"]
    share = counts["“ ”"] / n
    assert share == pytest.approx(probability["“"] / allowed, abs=4 * math.sqrt(0.25 / n))


@given(st.lists(st.sampled_from(range(3, 9)), max_size=20))
def test_following_ids_never_fails_and_pairs_cancel(ids):
    balance = Balance.of(Vocabulary(QUOTING, range(len(QUOTING), 0, -1)))
    owed = balance.after(ids)
    closed = [*ids, *itertools.chain(reversed(owed))]
    assert balance.after(closed) == []


def test_a_prefix_may_be_several_sentences():
    from dataclasses import replace

    from langmodel.text.sentences import listed_abbreviations

    lm = make_model(words=("a", "b", "c", "."))
    lm.pipeline = replace(lm.pipeline, sentences="punkt", punkt=listed_abbreviations())
    settings = SamplingSettings(sentences=3, max_length=9)
    for drawn in lm.sample(5, seed=1, prefix="a b . B c . a", settings=settings):
        assert drawn.text.startswith("a b . ")
    with pytest.raises(ConfigError, match="the prefix has 3 sentences; raise --sentences"):
        lm.sample(1, prefix="a b . B c . A a", settings=replace(settings, sentences=2))
    with pytest.raises(ConfigError, match="sentences must be from 1"):
        SamplingSettings(sentences=0)
