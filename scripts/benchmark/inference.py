"""Scoring and sampling, batched beside one by one."""

from collections.abc import Iterator

import torch
from timing import Row, paired

from langmodel.inference.language_model import LanguageModel
from langmodel.inference.settings import SamplingSettings
from langmodel.network.architecture import Architecture
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.text.pipeline import Pipeline
from langmodel.text.vocabulary import END_ID, Vocabulary


def random_model() -> LanguageModel:
    vocabulary = Vocabulary([f"w{n}" for n in range(9_997)], [1] * 9_997)
    network = RecurrentLM(
        Architecture(vocabulary_size=10_000, embedding_size=200, hidden_sizes=(200, 200)),
        torch.Generator().manual_seed(1),
    )
    with torch.no_grad():
        assert network.output_bias is not None
        network.output_bias[END_ID] += 6.0  # sentences of about 22 words
    return LanguageModel(network, vocabulary, Pipeline(tokenizer="whitespace", sentences="line"))


def inference() -> Iterator[Row]:
    lm = random_model()
    texts = [str(sentence) for sentence in lm.sample(1_000, seed=1)]
    alone = texts[:50]

    def one_by_one() -> None:
        for text in alone:
            lm.score(text)

    ours, theirs, _ = paired(lambda: list(lm.score_lines(texts)), one_by_one, rounds=3)
    value, baseline = len(texts) / ours, len(alone) / theirs
    yield Row("score LSTM 2x200, batched beside one by one", value, "sentences/s", baseline, value / baseline)

    def one_at_a_time() -> None:
        for seed in range(20):
            lm.sample(1, seed=seed, settings=SamplingSettings())

    ours, theirs, _ = paired(lambda: lm.sample(1_000, seed=1), one_at_a_time, rounds=3)
    value, baseline = 1_000 / ours, 20 / theirs
    yield Row(
        "sample LSTM 2x200, batched beside one by one", value, "sentences/s", baseline, value / baseline
    )
