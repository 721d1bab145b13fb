"""The methods of kenlm.Model and of nltk.lm's LanguageModel, on a random model."""

import copy
import math
import os
import sys
from dataclasses import replace

import nltk.lm.api
import numpy as np
import pytest
from conftest import make_model, saved_model

import langmodel.kenlm as kenlm
from langmodel.errors import InputError, LangModelError
from langmodel.nltk import LanguageModel
from langmodel.storage.model_file import SavedModel, save_model
from langmodel.text.vocabulary import Vocabulary


@pytest.fixture(params=["rnn", "lstm"])
def lm(request, tmp_path):
    """A language model, saved where `path` says."""
    lm = make_model(request.param, hidden_sizes=(4, 4))
    lm.path = tmp_path / "m.safetensors"
    save_model(
        lm.path,
        SavedModel(network=lm.network, vocabulary=lm.vocabulary, pipeline=lm.pipeline, context="sentence"),
    )
    return lm


SENTENCE = "a b zebra c"


def test_kenlm_scores_are_ours_in_log10(lm):
    model = kenlm.Model(lm.path)
    expected = lm.score(SENTENCE)
    assert model.score(SENTENCE) == pytest.approx(expected.log_prob / math.log(10), abs=1e-5)
    full = list(model.full_scores(SENTENCE))
    assert [oov for _, _, oov in full] == [False, False, True, False, False]
    assert [length for _, length, _ in full] == [2, 3, 4, 5, 6]
    for (log_prob, _, _), word in zip(full, expected.words, strict=True):
        assert log_prob == pytest.approx(word.log_prob / math.log(10), abs=1e-5)
    assert model.perplexity(SENTENCE) == pytest.approx(10 ** (-model.score(SENTENCE) / 5))
    assert model.perplexity(SENTENCE) == pytest.approx(expected.perplexity, rel=1e-4)


def test_kenlms_own_example(lm):
    """The checks of kenlm's example.py: words sum to the sentence, state by state too."""
    model = kenlm.LanguageModel(str(lm.path))
    assert model.order > 1
    for bos in (True, False):
        for eos in (True, False):
            partial = sum(prob for prob, _, _ in model.full_scores(SENTENCE, bos=bos, eos=eos))
            assert partial == pytest.approx(model.score(SENTENCE, bos=bos, eos=eos))
    state, state2 = kenlm.State(), kenlm.State()
    model.BeginSentenceWrite(state)
    accum = 0.0
    for word in SENTENCE.split():
        accum += model.BaseScore(state, word, state2)
        state, state2 = state2, state
    accum += model.BaseScore(state, "</s>", state2)
    assert accum == pytest.approx(model.score(SENTENCE))
    assert "a" in model
    assert "zebra" not in model
    assert "</s>" in model


def test_ngram_lengths_reach_back_to_the_beginning_and_borders_are_words(lm):
    """What kenlm's example leans on: lengths cut n-grams out of <s> … </s>, known words are `in`."""
    config = kenlm.Config()
    config.load_method = kenlm.LoadMethod.LAZY
    model = kenlm.Model(str(lm.path), config)
    words = ["<s>", *SENTENCE.split(), "</s>"]
    ngrams = [
        words[at + 2 - length : at + 2] for at, (_, length, _) in enumerate(model.full_scores(SENTENCE))
    ]
    assert ngrams == [words[:end] for end in range(2, len(words) + 1)]
    assert [word for word in words if word not in model] == ["zebra"]


def test_kenlm_takes_bytes_and_refuses_a_bad_path_as_the_system_does(lm, tmp_path):
    model = kenlm.Model(str(lm.path).encode())
    assert model.score(SENTENCE.encode()) == model.score(SENTENCE)
    assert model.perplexity(SENTENCE.encode()) == model.perplexity(SENTENCE)
    assert b"a" in model
    assert b"zebra" not in model
    with pytest.raises(OSError, match="Cannot read model"):
        kenlm.Model(str(tmp_path / "none"))


def test_kenlm_states_compare_copy_and_hash(lm):
    model = kenlm.Model(lm.path)
    begin, again, null, after = (kenlm.State() for _ in range(4))
    model.BeginSentenceWrite(begin)
    model.BeginSentenceWrite(again)
    model.NullContextWrite(null)
    assert begin == again
    assert hash(begin) == hash(again)
    assert begin != null
    kept = copy.deepcopy(begin)
    result = model.BaseFullScore(begin, "a", after)
    assert (result.ngram_length, result.oov) == (2, False)
    assert begin == kept != after
    assert len({begin, again, kept, after, copy.copy(after)}) == 2
    assert kept.__deepcopy__() == kept.__copy__() == kept
    assert (null < begin) == (begin > null) == (null <= begin) != (begin <= null)
    with pytest.raises(TypeError):
        assert begin < 3
    fresh, expected = kenlm.State(), kenlm.State()
    assert model.BaseScore(fresh, "a", after) == model.BaseScore(null, "a", expected)
    assert after == expected


def test_kenlm_cuts_at_ascii_blanks_and_takes_text_alone(lm):
    model = kenlm.Model(lm.path)
    assert model.score("a\tb\n\x0bc") == model.score("a b c")
    for glued in ("a\u00a0b", "a\u3000b", "a\x1cb"):
        assert [length for _, length, _ in model.full_scores(glued)] == [2, 3]
    assert model.score(b"a \xff") == model.score("a zebra")
    for wrong in (3, None, kenlm.State()):
        with pytest.raises(TypeError, match="Cannot convert"):
            model.score(wrong)
        with pytest.raises(TypeError, match="Cannot convert"):
            assert wrong in model


def test_kenlms_begin_of_sentence_is_known_and_begins_again(lm):
    model = kenlm.Model(lm.path)
    state, begin = kenlm.State(), kenlm.State()
    model.BeginSentenceWrite(begin)
    assert "<s>" in model
    result = model.BaseFullScore(begin, "<s>", state)
    assert (result.log_prob, result.ngram_length, result.oov) == (0.0, 1, False)
    assert state == begin
    assert next(model.full_scores("a")).ngram_length == 2


def test_pyctcdecode_decodes_saves_and_loads(lm, tmp_path, monkeypatch):
    """The real package, with this module in kenlm's place."""
    monkeypatch.setitem(sys.modules, "kenlm", kenlm)
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyctcdecode"]:
        monkeypatch.delitem(sys.modules, name)
    pyctcdecode = pytest.importorskip("pyctcdecode")
    file = tmp_path / "lm.bin"
    file.write_bytes(lm.path.read_bytes())
    labels = ["", " ", "a", "b", "c"]
    decoder = pyctcdecode.build_ctcdecoder(labels, str(file), unigrams=["a", "b", "c"])
    chance = np.random.default_rng(0)
    logits = np.log(chance.dirichlet(np.ones(len(labels)), 12)).astype(np.float32)
    text = decoder.decode(logits)
    assert set(text) <= set("abc ")
    (tmp_path / "saved").mkdir()
    decoder.save_to_dir(str(tmp_path / "saved"))
    again = pyctcdecode.BeamSearchDecoderCTC.load_from_dir(str(tmp_path / "saved"))
    assert again.decode(logits) == text
    assert kenlm.Model(file).path == os.fsencode(file)


def test_nltk_scores_are_probabilities_of_the_next_word(lm):
    model = LanguageModel(lm.path)
    expected = {word.word: word.probability for word in lm.next_words("a b", k=9)}
    for word, probability in expected.items():
        name = {"<unk>": "zebra"}.get(word, word)
        assert model.score(name, ["a", "b"]) == pytest.approx(probability, rel=1e-4)
        assert model.score(name, ["<s>", "a", "b"]) == model.score(name, ["a", "b"])
        assert model.logscore(name, ["a", "b"]) == pytest.approx(math.log2(probability), abs=1e-4)
    assert model.score("<s>", ["a"]) == 0
    words = [*lm.vocabulary.words, "</s>", "anything unknown"]
    assert sum(model.score(word) for word in words) == pytest.approx(1, abs=1e-5)


def test_nltk_entropy_and_perplexity_of_a_sentence_are_ours(lm):
    model = LanguageModel(lm.path)
    words = ["<s>", *SENTENCE.split(), "</s>"]
    prefixes = [words[: end + 1] for end in range(1, len(words))]
    score = lm.score(SENTENCE)
    assert model.entropy(prefixes) == pytest.approx(-score.log_prob / score.tokens / math.log(2), abs=1e-4)
    assert model.perplexity(prefixes) == pytest.approx(score.perplexity, rel=1e-4)
    with pytest.raises(ValueError, match="no n-grams"):
        model.entropy([])


def test_nltk_remembered_states_change_nothing(lm, monkeypatch):
    import langmodel.nltk

    remembering = LanguageModel(lm.path)
    for end in range(5):
        remembering.score("a", SENTENCE.split()[:end])
    monkeypatch.setattr(langmodel.nltk, "CACHED_CONTEXTS", 1)
    forgetful = LanguageModel(lm.path)
    for end in (4, 0, 2):
        context = SENTENCE.split()[:end]
        assert remembering.score("b", context) == pytest.approx(forgetful.score("b", context), rel=1e-5)
    assert len(forgetful._states) == 1


def test_nltk_knows_the_words_of_a_model_that_was_imported_without_counts(tmp_path):
    lm = make_model()
    bare = Vocabulary(lm.vocabulary.words, [0] * len(lm.vocabulary.words))
    save_model(tmp_path / "m.safetensors", replace(saved_model(lm), vocabulary=bare))
    vocab = LanguageModel(tmp_path / "m.safetensors").vocab
    assert vocab.lookup(["a", "aliens"]) == ("a", "<UNK>")


def test_nltk_vocabulary_looks_up_as_nltk_does(lm):
    vocab = LanguageModel(lm.path).vocab
    assert vocab.lookup("a") == "a"
    assert vocab.lookup(["a", "aliens"]) == ("a", "<UNK>")
    assert vocab.lookup([("a", "x"), ("b",)]) == (("a", "<UNK>"), ("b",))
    assert vocab["a"] == 5
    assert vocab["aliens"] == 0
    assert "a" in vocab
    assert len(list(vocab)) == len(vocab)
    assert "<UNK>" in vocab
    assert "aliens" not in vocab
    assert str(vocab) == f"<Vocabulary with cutoff=1 unk_label='<UNK>' and {len(vocab)} items>"


def test_nltk_reads_its_own_padded_ngrams(lm):
    from nltk.lm.preprocessing import padded_everygrams

    model = LanguageModel(lm.path)
    assert model.order > 2
    test = list(padded_everygrams(2, ["a", "b"]))
    assert ("<s>",) in test
    assert 1 < model.perplexity(test) < math.inf
    assert model.entropy(test) == model.entropy([ngram for ngram in test if ngram[-1] != "<s>"])


def test_nltk_generates_reproducibly_and_never_unknown_words(lm):
    model = LanguageModel(lm.path)
    assert isinstance(model.generate(random_seed=3), str)
    words = model.generate(40, text_seed=["a"], random_seed=3)
    assert words == model.generate(40, text_seed=["a"], random_seed=3)
    assert len(words) == 40
    assert set(words) <= {*lm.vocabulary.words, "</s>"}
    with pytest.raises(LangModelError, match="langmodel train"):
        model.fit([["a"]])


def test_nltk_takes_it_for_a_language_model_and_it_says_what_it_lacks(lm):
    model = LanguageModel(lm.path)
    assert isinstance(model, nltk.lm.api.LanguageModel)
    for ask in (lambda: model.counts, lambda: model.context_counts(("a",)), lambda: model.fit([["a"]])):
        with pytest.raises(LangModelError, match=r"counts|fitted"):
            ask()
    for ask in (
        lambda: model.score(None),
        lambda: model.score("a", [None]),
        lambda: model.vocab.lookup(None),
    ):
        with pytest.raises(TypeError):
            ask()
    assert None not in model.vocab


def test_without_transformers_the_extra_is_named(lm, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("langmodel.huggingface")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        InputError, match=r"to_huggingface needs transformers.*: pip install 'langmodel\[hf\]'"
    ):
        lm.to_huggingface()


def test_nltk_unknown_empty_and_wrong_arguments_are_treated_as_nltk_does(lm):
    model = LanguageModel(lm.path)
    vocab = model.vocab
    assert model.generate(text_seed=("aliens",), random_seed=3) == model.generate(
        text_seed=(vocab.unk_label,), random_seed=3
    )
    assert model.generate(text_seed=None, random_seed=3) == model.generate(random_seed=3)
    assert vocab.lookup(iter([])) == ()
    assert vocab.lookup("") == vocab.unk_label
    for ask in (lambda: model.generate(text_seed=(None,)), lambda: vocab.lookup(1)):
        with pytest.raises(TypeError):
            ask()
    with pytest.raises(AttributeError):
        vocab.cutoff = 3
