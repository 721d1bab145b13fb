"""ARPA files: what is written is read again, and what a file says is what it means."""

import math

import numpy as np
import pytest
import torch

from langmodel.cli.main import run
from langmodel.errors import InputError
from langmodel.ngrams.arpa import arpa_lines, read_arpa
from langmodel.ngrams.kneser_ney import KneserNey
from langmodel.ngrams.packed import packed
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID, Vocabulary

WORDS = Vocabulary(("a", "b", "c", "d"), (4, 3, 2, 1))
V = len(WORDS)

BY_HAND = """\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.30103
-0.52288\ta\t-0.1
-0.52288\tzebra
-0.52288\t</s>

\\2-grams:
-0.30103\t<s> a
-0.2\ta </s>
-1.0\ta zebra

\\end\\
"""


def contexts(ngrams, ids):
    return ngrams.contexts(torch.tensor([START_ID, *ids]).unsqueeze(1), ngrams.no_context(1))[-1]


def test_a_file_by_hand(tmp_path):
    (tmp_path / "x.arpa").write_text(BY_HAND)
    found = read_arpa(tmp_path / "x.arpa", WORDS)
    assert (found.words, found.matched) == (2, 1)
    a = WORDS.id_of("a")
    # zebra is left out; b, c and d share <unk>'s 0.1 with UNK; what is left sums to one.
    whole = 0.3 + 0.3 + 0.1
    start = found.ngrams.distribution(contexts(found.ngrams, []))[0]
    assert start[a] == pytest.approx(0.5 - 0.5 * 0.3 + (1 - (0.5 - 0.5 * 0.3)) * 0.3 / whole, rel=1e-3)
    assert start[UNK_ID] == pytest.approx(start[WORDS.id_of("b")])
    assert float(start.double().sum()) == pytest.approx(1, abs=1e-6)
    after = found.ngrams.distribution(contexts(found.ngrams, [a]))[0]
    own = 10**-0.2 - 10**-0.1 * 0.3
    assert after[END_ID] == pytest.approx(own + (1 - own) * 0.3 / whole, rel=1e-3)


PRUNED = """\\data\\
ngram 1=5
ngram 2=1
ngram 3=1

\\1-grams:
-1.0 <unk>
-99 <s> -0.1
-0.7 a -0.3
-0.5 b -0.2
-0.4 </s>

\\2-grams:
-0.4 a b -0.25

\\3-grams:
-0.1 a b a

\\end\\
"""


@pytest.mark.parametrize("separator", [" ", "\t"])
def test_a_file_without_the_end_of_one_of_its_ngrams(tmp_path, separator):
    """Nothing is said of `b a`: what `a b a` adds is reckoned from b's weight and a."""
    lines = [
        _with_tabs(line) if line.startswith("-") and separator == "\t" else line
        for line in PRUNED.splitlines()
    ]
    (tmp_path / "x.arpa").write_text("\n".join(lines) + "\n")
    words = Vocabulary(("a", "b"), (2, 1))
    found = read_arpa(tmp_path / "x.arpa", words).ngrams
    whole = 10**-1.0 + 10**-0.7 + 10**-0.5 + 10**-0.4
    a, b = words.id_of("a"), words.id_of("b")
    unigram = 10**-0.7 / whole
    own = 10**-0.1 - 10**-0.25 * 10**-0.2 * 10**-0.7
    bigram_left_over = 1.0  # b begins no bigram
    after = found.distribution(contexts(found, [a, b]))[0]
    assert after[a] == pytest.approx(own + (1 - own) * bigram_left_over * unigram, rel=2e-3)
    assert float(after.double().sum()) == pytest.approx(1, abs=1e-6)


def _with_tabs(line):
    """Between probability, words and weight; blanks between the words."""
    fields = line.split(" ")
    weight = [fields.pop()] if len(fields) > 2 and fields[-1].startswith("-") else []
    return "\t".join([fields[0], " ".join(fields[1:]), *weight])


def test_what_is_written_is_read_again(tmp_path):
    random = np.random.default_rng(2)
    ids = np.append(random.choice(np.arange(2, V), size=400, p=[0.3, 0.3, 0.2, 0.1, 0.1]), END_ID)
    ngrams = packed(KneserNey(ids.astype(np.uint16), V, 4), 4)
    (tmp_path / "x.arpa").write_text("\n".join(arpa_lines(ngrams, WORDS)))
    again = read_arpa(tmp_path / "x.arpa", WORDS).ngrams
    assert again.size == ngrams.size
    for words in ([], [3], [3, 4], [5, 3, 4], [6, 6, 6]):
        torch.testing.assert_close(
            again.distribution(contexts(again, words)),
            ngrams.distribution(contexts(ngrams, words)),
            rtol=2e-3,
            atol=1e-6,
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not an ARPA file"),
        ("a b c\n", "not an ARPA file"),
        ("\\data\\\nngram 2=3\n", "line 2 is not a count"),
        ("\\data\\\nngram 1=x\n", "line 2 is not a count"),
        ("\\data\\\nngram 1=1\n\\1-grams:\nx\ta\n\\end\\\n", "line 4 is not an n-gram of 1 words"),
        ("\\data\\\nngram 1=1\n\\1-grams:\n0.5\ta\n\\end\\\n", "line 4 is not an n-gram"),
        ("\\data\\\nngram 1=1\n\\1-grams:\nnan\ta\n\\end\\\n", "line 4 is not an n-gram"),
        ("\\data\\\nngram 1=1\n\\1-grams:\n-1\ta b\n\\end\\\n", "line 4 is not an n-gram"),
        ("\\data\\\nngram 1=2\n\\1-grams:\n-1\ta\n\\end\\\n", "1 n-grams of 1 words, where its head says 2"),
    ],
)
def test_what_is_no_arpa_file_is_refused_by_its_line(tmp_path, text, said):
    (tmp_path / "x.arpa").write_text(text)
    with pytest.raises(InputError, match=said):
        read_arpa(tmp_path / "x.arpa", WORDS)


def test_a_model_s_ngrams_go_out_and_in_by_the_command_line(tmp_path, poem_corpus, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = "--hidden-size 4 --embedding-size 4 --epochs 1 --batch-size 2 --threads 1"
    assert run(f"train {poem_corpus.path} -o r {small}".split()) == 0
    assert "mixed with" in capsys.readouterr().out
    assert run("export-arpa r -o x.arpa".split()) == 0
    assert run(f"train {poem_corpus.path} -o s --ngrams x.arpa {small}".split()) == 0
    captured = capsys.readouterr()
    assert "of the vocabulary's" in captured.err
    perplexities = []
    for name in ("r", "s"):
        assert run(f"evaluate {name} --json".split()) == 0
        perplexities.append(float(capsys.readouterr().out.split('"perplexity": ')[1].split(",")[0]))
    assert perplexities[0] == pytest.approx(perplexities[1], rel=5e-3)
    assert run(f"train {poem_corpus.path} -o t --ngrams 0 {small}".split()) == 0
    assert run("export-arpa t -o y.arpa".split()) == 2
    assert "train it with --ngrams 5" in capsys.readouterr().err
    assert run("evaluate t --network-only --json".split()) == 0
    assert '"model": "network"' in capsys.readouterr().out
    foreign = "\\data\\\nngram 1=3\n\n\\1-grams:\n-0.5\tzebra\n-0.5\t<unk>\n-0.5\t</s>\n\n\\end\\\n"
    (tmp_path / "z.arpa").write_text(foreign)
    assert run(f"train {poem_corpus.path} -o u --ngrams z.arpa {small}".split()) == 2
    assert "these n-grams use different words" in capsys.readouterr().err
    assert run(f"train {poem_corpus.path} -o u --ngrams none.arpa {small}".split()) == 2
    assert math.isfinite(perplexities[0])


def unigrams_of(tmp_path, rows: str, bigrams: str = "") -> tuple[int, torch.Tensor]:
    """The words that a file has, and its distribution without a context."""
    counts = f"ngram 1={rows.count(chr(10))}\n" + (f"ngram 2={bigrams.count(chr(10))}\n" if bigrams else "")
    sections = f"\\1-grams:\n{rows}" + (f"\n\\2-grams:\n{bigrams}" if bigrams else "")
    (tmp_path / "x.arpa").write_text(f"\\data\\\n{counts}\n{sections}\n\\end\\\n")
    found = read_arpa(tmp_path / "x.arpa", WORDS)
    return found.words, found.ngrams.distribution(found.ngrams.no_context(1))[0]


def test_only_unigrams_are_counted_as_words(tmp_path):
    rows = "-1\ta\n-1\tb\n-1\t<unk>\n-1\t</s>\n"
    assert unigrams_of(tmp_path, rows, "-1\ta b\n-1\tb a\n-1\ta a\n")[0] == 2


def test_words_that_a_file_without_unk_lacks_are_hardly_possible(tmp_path):
    _, found = unigrams_of(tmp_path, "-0.30103\ta\n-0.30103\t</s>\n")
    assert found[WORDS.id_of("a")] == pytest.approx(0.5, rel=1e-5)
    assert 0 < found[WORDS.id_of("b")] == found[UNK_ID] < 1e-7


def test_a_probability_of_nothing_and_one_above_one_by_rounding(tmp_path):
    _, found = unigrams_of(tmp_path, "-inf\ta\n-99\tb\n1e-7\tc\n")
    assert found[WORDS.id_of("c")] == pytest.approx(1, rel=1e-5)
    assert float(found[WORDS.id_of("a")]) == float(found[WORDS.id_of("b")]) < 1e-7
