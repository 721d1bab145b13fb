"""Exact text of every format, of a uniform model: five words, UNK and END have probability 1/7 each."""

import math

import pytest
import torch
from conftest import make_model

from langmodel.cli.main import run
from langmodel.formats.score_style import Style
from langmodel.formats.score_tables import FORMATS
from langmodel.inference.language_model import LanguageModel
from langmodel.storage.model_file import SavedModel, save_model
from langmodel.text.pipeline import Pipeline
from langmodel.text.vocabulary import END_ID

LINES = ["a Zebra b", ""]


def uniform_model() -> LanguageModel:
    lm = make_model()
    with torch.no_grad():
        for parameter in lm.network.parameters():
            parameter.zero_()
    lm.network.double()
    return lm


def written(
    name: str, lines: list[str] = LINES, lm: LanguageModel | None = None, **style: object
) -> list[str]:
    chosen = FORMATS[name]
    wanted = Style(**style)
    scores = (lm or uniform_model()).score_lines(lines, detail=chosen.detail(wanted))
    return list(chosen.write(scores, wanted))


def test_tsv_by_line():
    assert written("tsv") == [
        "sentence_id\tlog_prob_base_e\ttokens\toov\tperplexity\ttext",
        "1\t-7.783641\t4\t1\t7.0000\ta Zebra b",
        "2\t-1.945910\t1\t0\t7.0000\t",
    ]
    assert written("tsv", ["a\tb"], header=False, base="10") == ["1\t-2.535294\t3\t0\t7.0000\ta b"]


def test_tsv_by_word():
    bits = f"{math.log2(7):.6f}"
    assert written("tsv", per_word=True, base="2") == [
        "sentence_id\ttoken_id\tword\tsurprisal_base_2\tlog_prob_base_2\toov\trank\tentropy_base_2"
        "\tinput_word\tchar_start\tchar_end",
        f"1\t1\ta\t{bits}\t-{bits}\t0\t1\t{bits}\t1\t0\t1",
        f"1\t2\tZebra\t{bits}\t-{bits}\t1\t1\t{bits}\t2\t2\t7",
        f"1\t3\tb\t{bits}\t-{bits}\t0\t1\t{bits}\t3\t8\t9",
        f"1\t4\t</s>\t{bits}\t-{bits}\t0\t1\t{bits}\t\t9\t9",
        f"2\t1\t</s>\t{bits}\t-{bits}\t0\t1\t{bits}\t\t0\t0",
    ]


def test_kenlm():
    assert written("kenlm") == [
        "a=3 2 -0.845098\tZebra=0 3 -0.845098\tb=4 4 -0.845098\t</s>=2 5 -0.845098\tTotal: -3.38039 OOV: 1",
        "</s>=2 2 -0.845098\tTotal: -0.845098 OOV: 0",
        "Perplexity including OOVs:\t7",
        "Perplexity excluding OOVs:\t7",
        "OOVs:\t1",
        "Tokens:\t5",
    ]


def test_srilm_summary_of_a_closed_vocabulary():
    assert written("srilm", file="in.txt") == [
        "file in.txt: 1 sentences, 3 words, 1 OOVs",
        "0 zeroprobs, logprob= -2.53529 ppl= 7 ppl1= 18.5203",
    ]


def test_srilm_every_word_of_a_closed_vocabulary():
    assert written("srilm", file="in.txt", srilm_debug=2) == [
        "a Zebra b",
        "\tp( a | <s> ) \t= [rnn] 0.142857 [ -0.845098 ]",
        "\tp( <unk> | a ...) \t= [OOV] 0 [ -inf ]",
        "\tp( b | <unk> ...) \t= [rnn] 0.142857 [ -0.845098 ]",
        "\tp( </s> | b ...) \t= [rnn] 0.142857 [ -0.845098 ]",
        "1 sentences, 3 words, 1 OOVs",
        "0 zeroprobs, logprob= -2.53529 ppl= 7 ppl1= 18.5203",
        "",
        "file in.txt: 1 sentences, 3 words, 1 OOVs",
        "0 zeroprobs, logprob= -2.53529 ppl= 7 ppl1= 18.5203",
    ]


def test_srilm_with_unk_as_a_word():
    assert written("srilm", ["a Zebra"], srilm_debug=2, srilm_unk=True) == [
        "a Zebra",
        "\tp( a | <s> ) \t= [rnn] 0.142857 [ -0.845098 ]",
        "\tp( <unk> | a ...) \t= [rnn] 0.142857 [ -0.845098 ]",
        "\tp( </s> | <unk> ...) \t= [rnn] 0.142857 [ -0.845098 ]",
        "1 sentences, 2 words, 0 OOVs",
        "0 zeroprobs, logprob= -2.53529 ppl= 7 ppl1= 18.5203",
        "",
        "file -: 1 sentences, 2 words, 0 OOVs",
        "0 zeroprobs, logprob= -2.53529 ppl= 7 ppl1= 18.5203",
    ]


def test_lm_zoo():
    assert written("lm-zoo", ["a b"]) == [
        "sentence_id\ttoken_id\ttoken\tsurprisal",
        "1\t1\ta\t2.807355",
        "1\t2\tb\t2.807355",
        "1\t3\t</s>\t2.807355",
    ]


def test_neural_complexity():
    assert written("neural-complexity", ["a Zebra", "b"]) == [
        "word sentid sentpos wlen surp entropy entred",
        "a 0 0 1 2.807355 2.807355 0.000000",
        "Zebra 0 1 5 2.807355 2.807355 0.000000",
        "b 1 0 1 2.807355 2.807355 0.000000",
    ]


def test_entropy_and_rank_are_those_of_the_distribution_before_the_word():
    lm = make_model("gru")
    score = next(lm.score_lines(["b d"], detail="rank"))
    for at, word in enumerate(score.words):
        options = lm.next_words(" ".join(["b", "d"][:at]), k=99)
        assert word.entropy == pytest.approx(-sum(w.probability * w.log_prob for w in options), abs=1e-5)
        assert [w.word for w in options][word.rank - 1] == word.word
        assert word.log_prob == pytest.approx(lm.score("b d").words[at].log_prob, abs=1e-6)


def test_entropy_reduction_is_the_fall_from_the_word_before():
    lm = make_model("gru")
    score = next(lm.score_lines(["a b c"], detail="rank"))
    rows = [row.split() for row in written("neural-complexity", ["a b c"], lm)[1:]]
    entropies = [word.entropy / math.log(2) for word in score.words]
    for at, row in enumerate(rows):
        expected = max(0.0, entropies[at - 1] - entropies[at]) if at else 0.0
        assert float(row[6]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_takes_no_lines_at_all(name):
    assert isinstance(written(name, []), list)


def test_nothing_has_no_minus_in_front():
    lm = uniform_model()
    with torch.no_grad():
        lm.network.output_bias[END_ID] = 900.0
    assert written("lm-zoo", [""], lm)[1] == "1\t1\t</s>\t0.000000"
    assert written("tsv", [""], lm, per_word=True)[1].split("\t")[3:5] == ["0.000000", "0.000000"]


def test_what_would_cut_a_row_or_a_column_does_not():
    (_, row) = written("tsv", ["a\u2028b\rc"])
    assert row.endswith("\ta b c")
    lm = uniform_model()
    characters = LanguageModel(lm.network, lm.vocabulary, Pipeline(tokenizer="character", sentences="line"))
    rows = written("neural-complexity", ["a b"], characters)
    assert [row.split(" ")[0] for row in rows[1:]] == ["a", "\u2581", "b"]
    assert all(len(row.split()) == 7 for row in rows)


@pytest.mark.parametrize(
    "flags", ["--format kenlm --base 2", "--format jsonl --per-word", "--format tsv --srilm-debug 1"]
)
def test_a_flag_of_another_format_is_refused(flags, capsys):
    assert run(["score", "none", *flags.split()]) == 2
    assert "is for --format" in capsys.readouterr().err


def test_a_row_in_is_a_row_out(tmp_path, capsys):
    lm = uniform_model()
    parts = {"network": lm.network.float(), "vocabulary": lm.vocabulary, "pipeline": lm.pipeline}
    save_model(tmp_path / "m", SavedModel(**parts, context="sentence"))
    (tmp_path / "t.txt").write_bytes("a\u2028b\n\na\x85b\r\nc\rd".encode())
    assert run(["score", str(tmp_path / "m"), str(tmp_path / "t.txt")]) == 0
    rows = capsys.readouterr().out.split("\n")
    assert [row.split("\t")[-1] for row in rows[1:-1]] == ["a b", "", "a b", "c d"]


def test_written_words_sum_their_parts_and_leave_end_out():
    header, *rows = written("tsv", ["a Zebra, b.", ""], written=True, base="2")
    assert header == "sentence_id\tinput_word\tword\tsurprisal_base_2\tmodel_words\toov"
    assert [row.split("\t")[1:3] for row in rows] == [["1", "a"], ["2", "Zebra,"], ["3", "b."]]
    bit = math.log2(7)
    lm = uniform_model()
    counts = [len(lm.pipeline.tokenize(text)) for text in ("a", "Zebra,", "b.")]
    for row, count in zip(rows, counts, strict=True):
        assert float(row.split("\t")[3]) == pytest.approx(bit * count, abs=1e-5)
        assert int(row.split("\t")[4]) == count


def test_unknown_words_can_be_masked_in_the_tables_of_others():
    plain = written("lm-zoo", ["a Zebra"])
    masked = written("lm-zoo", ["a Zebra"], mask_unknown=True)
    assert [line.split("\t")[2] for line in masked[1:]] == ["a", "<unk>", "</s>"]
    assert [line.split("\t")[3] for line in masked] == [line.split("\t")[3] for line in plain]
    rows = written("neural-complexity", ["a Zebra"], mask_unknown=True)
    assert rows[2].split()[:4] == ["<unk>", "0", "1", "5"]


def test_neural_complexity_numbers_lines_that_have_words():
    rows = written("neural-complexity", ["a", "", "a"])
    assert [row.split()[1] for row in rows[1:]] == ["0", "1"]


def test_srilm_says_nothing_of_no_sentences():
    assert written("srilm", [""], file="x") == ["file x: 0 sentences, 0 words, 0 OOVs"]


def test_two_processes_score_what_one_does_line_for_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lm = make_model(words=tuple("abcde"))
    save_model(
        tmp_path / "m.safetensors",
        SavedModel(network=lm.network, vocabulary=lm.vocabulary, pipeline=lm.pipeline, context="sentence"),
    )
    (tmp_path / "t").write_text("".join(f"{'a b c d e '[: 2 * (n % 6)]}\n" for n in range(5_000)))
    outputs = []
    for more in ("--workers 1 --threads 1", "--workers 2 --threads 1"):
        assert run(f"score m.safetensors t {more}".split()) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] and outputs[0].count("\n") == 5_001
    assert run("score m.safetensors t --workers 2 --context document".split()) == 2
    assert "--workers is for --context sentence" in capsys.readouterr().err
