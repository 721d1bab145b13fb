"""Scoring and sampling, batched beside one by one."""

import statistics
from collections.abc import Callable, Iterator

import numpy as np
import torch
from plain import PlainModel, plain_sentences
from timing import Row, elsewhere, paired, rate_row

from langmodel.inference.language_model import LanguageModel
from langmodel.inference.results import SampledSentence
from langmodel.inference.scoring import BATCH_SENTENCES
from langmodel.network.architecture import Architecture
from langmodel.network.output_layer import CHUNK_ELEMENTS
from langmodel.network.products import product
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


def forward_products(lm: LanguageModel, tokens: int, steps: int, batch: int) -> Callable[[], None]:
    """The products of a forward pass over `tokens`, `batch` sentences side by side, and nothing else."""
    V, H = lm.network.architecture.vocabulary_size, 200
    hidden, word = torch.randn(batch * steps, H), torch.randn(V, H)
    gates, state = torch.randn(4 * H, H), torch.randn(batch, H)

    def run() -> None:
        for _ in range(-(-tokens // (batch * steps))):
            for _layer in range(2):
                product(hidden, gates)
                for _step in range(steps):
                    product(state, gates)
            for rows in torch.split(hidden, CHUNK_ELEMENTS // V):  # as many at once as are scored at once
                product(rows, word)

    return run


def batched(lm: LanguageModel, texts: list[str]) -> Iterator[Row]:
    """A thousand sentences scored together, beside one by one and beside the products that it takes."""
    alone = texts[:50]

    def one_by_one() -> None:
        for text in alone:
            lm.score(text)

    ours, theirs, _ = paired(lambda: list(lm.score_lines(texts)), one_by_one, rounds=3)
    value, baseline = len(texts) / ours, len(alone) / theirs
    yield Row("score LSTM 2x200, batched beside one by one", value, "sentences/s", baseline, value / baseline)

    tokens = sum(len(text.split()) + 1 for text in texts)
    products = forward_products(lm, tokens, tokens // len(texts), BATCH_SENTENCES)
    ours, theirs, _ = paired(lambda: list(lm.score_lines(texts)), products, rounds=5)
    yield rate_row(
        "score LSTM 2x200, beside its forward products alone",
        "tokens/s",
        tokens,
        (ours, theirs, theirs / ours),
    )


def n_best(lm: LanguageModel, texts: list[str]) -> Iterator[Row]:
    """A hundred variants of a sentence, each with one or two words changed, beside as many lone sentences."""
    random = np.random.default_rng(1)
    words = max(texts[:50], key=len).split()
    hypotheses = []
    for _ in range(100):
        changed = list(words)
        for place in random.integers(len(words) // 3, len(words), random.integers(1, 3)):
            changed[place] = lm.vocabulary.words[random.integers(200)]
        hypotheses.append(" ".join(changed))

    def lone() -> None:
        for text in hypotheses:
            lm.score(text)

    ours, theirs, ratio = paired(lambda: lm.log_probs(hypotheses), lone, rounds=3)
    yield rate_row("score a 100-best list, beside 100 lone sentences", "lists/s", 1, (ours, theirs, ratio))


def words(samples: list[SampledSentence]) -> int:
    """END counted."""
    return sum(len(sample.words) + 1 for sample in samples)


def sampling(lm: LanguageModel) -> Iterator[Row]:
    """A thousand sentences together, beside one at a time, and beside the tutorial's way."""
    drawn = words(lm.sample(1_000, seed=1))

    def one_at_a_time() -> None:
        for seed in range(20):
            lm.sample(1, seed=seed)

    ours, theirs, _ = paired(lambda: lm.sample(1_000, seed=1), one_at_a_time, rounds=3)
    value = drawn / ours
    baseline = sum(words(lm.sample(1, seed=seed)) for seed in range(20)) / theirs
    name = "sample LSTM 2x200, a thousand together, beside one at a time"
    yield Row(name, value, "words/s", baseline, value / baseline)

    model = PlainModel("lstm", 10_000, 200, 2)
    with torch.no_grad():
        model.output.bias[END_ID] += 6.0
    counts: list[int] = []
    with elsewhere(plain_sentences, model, torch.get_num_threads(), 100) as sentence:

        def the_tutorial_s_way() -> None:
            counts.append(sum(sentence() for _ in range(20)))

        ours, theirs, _ = paired(lambda: lm.sample(1_000, seed=1), the_tutorial_s_way, rounds=5)
    value, baseline = drawn / ours, statistics.mean(counts[1:]) / theirs
    name = "the same, beside plain PyTorch that reads each prefix anew"
    yield Row(name, value, "words/s", baseline, value / baseline)


def inference() -> Iterator[Row]:
    lm = random_model()
    texts = [str(sentence) for sentence in lm.sample(1_000, seed=1)]
    yield from batched(lm, texts)
    yield from n_best(lm, texts)
    yield from sampling(lm)
