import io
import json
import math
import sys

import pytest
from conftest import out

from langmodel.cli.main import run
from langmodel.inference.language_model import load

LIST = "-10 -3 2 a b\n-11 -3 3 a b c\n-9 -3 2 c d\n"


@pytest.fixture(autouse=True)
def list_file(place):
    (place / "list").write_text(LIST)


def test_rescore_keeps_the_order_and_puts_the_model_s_log10_in(place, capsys):
    lm = load("m.safetensors")
    rows = out(capsys, "rescore m.safetensors list --format srilm").splitlines()
    assert [row.split()[0] for row in rows] == ["-10", "-11", "-9"]
    for row, text in zip(rows, ("a b", "a b c", "c d"), strict=True):
        assert float(row.split()[1]) == pytest.approx(lm.score(text).log_prob / 2.302585, rel=1e-4)


def test_rerank_sorts_each_list_and_one_best_prints_the_first_s_text(place, capsys):
    ranked = out(capsys, "rescore m.safetensors list --format srilm --rerank --weight 0.001").splitlines()
    assert [row.split()[0] for row in ranked] == ["-9", "-10", "-11"]
    assert out(capsys, "rescore m.safetensors list --format srilm --one-best --weight 0.001") == "c d\n"
    favours_length = "rescore m.safetensors list --format srilm --one-best --weight 0 --bonus 9"
    assert out(capsys, favours_length) == "a b c\n"


def test_a_reranked_fairseq_list_still_begins_with_its_source(place, capsys):
    (place / "fairseq").write_text("S-0\tx\nT-0\ty\nH-0\t-9\ta b\nD-0\t-9\ta b\nH-0\t-1\tc d\n")
    rows = out(capsys, "rescore m.safetensors fairseq --format fairseq --rerank --weight 0").splitlines()
    assert [row.split("\t")[0] for row in rows] == ["S-0", "T-0", "H-0", "L-0", "H-0", "L-0", "D-0"]
    assert rows[2].endswith("c d")


def test_unknown_words_are_told_and_in_an_open_vocabulary_share_what_unk_has(place, capsys):
    lm = load("m.safetensors")
    (place / "unknown").write_text(
        "0 ||| a b zzz ||| x= 1 ||| -1\n0 ||| zzz yyy ||| x= 1 ||| -1\n0 ||| a ||| x= 1 ||| -1\n"
    )
    command = "rescore m.safetensors unknown --format moses"
    assert run(command.split()) == 0
    captured = capsys.readouterr()
    assert captured.err == (
        "note: the model does not know 3 of 6 words (50.0%), mostly zzz, yyy. As UNK they look too likely: "
        "see --open-vocabulary\n"
    )
    plain = [float(row.split("LangModel= ")[1].split()[0]) for row in captured.out.splitlines()]
    assert plain == pytest.approx([lm.score(text).log_prob for text in ("a b zzz", "zzz yyy", "a")], abs=1e-4)
    opened = out(capsys, f"{command} --open-vocabulary 1005").splitlines()
    shares = [float(row.split("LangModel= ")[1].split()[0]) for row in opened]
    lost = [(before - after) / math.log(1_000) for before, after in zip(plain, shares, strict=True)]
    assert lost == pytest.approx([1, 2, 0], abs=1e-4)


def test_rescore_reads_standard_input(place, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LIST.encode())))
    piped = out(capsys, "rescore m.safetensors --format srilm")
    assert piped == out(capsys, "rescore m.safetensors list --format srilm")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("rescore m.safetensors list", "Missing option '--format'"),
        ("rescore m.safetensors list --format srilm --weight nan", "'nan' is not a finite number"),
        ("rescore m.safetensors list --format srilm --weight 1 --bonus inf", "'inf' is not a finite number"),
        ("rescore m.safetensors none --format srilm", "none: no such file; give its path"),
        ("rescore m.safetensors list --format moses", "list:1: 1 columns"),
        ("rescore m.safetensors list --format srilm --weight heavy", "'heavy' is not a valid float"),
        ("rescore m.safetensors list --format srilm --bonus 1", "add --weight"),
        ("rescore m.safetensors list --format srilm --weight 2", "add --rerank or --one-best"),
        ("rescore m.safetensors list --format srilm --open-vocabulary 5", "must have more than the 5 known"),
        ("rescore m.safetensors list --format kaldi --share 0.5", "--share needs"),
        ("rescore m.safetensors none --format srilm", "none: no such file"),
        ("rescore m.safetensors list --format srilm --group 2", "--group is for --format opennmt"),
        ("tune-nbest m.safetensors list two --format srilm --group 2", "--group is for --format opennmt"),
        ("tune-nbest m.safetensors list two --format srilm", "two: 2 reference(s) for 1 list(s)"),
        ("tune-nbest m.safetensors list blank --format srilm", "no words"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(place, capsys, line, reason):
    (place / "two").write_text("a b\nc d\n")
    (place / "blank").write_text("\n")
    assert run(line.split()) == 2
    captured = capsys.readouterr()
    assert reason in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_what_tune_nbest_prints_is_what_rescore_then_does(place, capsys):
    (place / "references").write_text("a b c\n")
    printed = out(capsys, "tune-nbest m.safetensors list references --format srilm")
    before, after, best, use = printed.splitlines()
    assert "33.33%  (1 errors in 3 words)" in before
    assert "0.00%" in after
    assert "0.00%" in best
    flags = use.removeprefix("use").strip()
    assert out(capsys, f"rescore m.safetensors list --format srilm --one-best {flags}") == "a b c\n"


def test_without_jiwer_the_extra_is_named(place, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jiwer", None)
    (place / "references").write_text("a b\n")
    assert run("tune-nbest m.safetensors list references --format srilm".split()) == 2
    assert "pip install 'langmodel[nbest]'" in capsys.readouterr().err


def test_an_srilm_file_is_one_list_and_several_can_be_tuned_on(place, capsys):
    (place / "other").write_text("-5 -3 1 d\n-6 -3 1 e\n")
    (place / "references").write_text("a b c\ne\n")
    printed = out(capsys, "tune-nbest m.safetensors list other references --format srilm")
    assert "(2 errors in 4 words)" in printed.splitlines()[0]


def test_an_impossible_score_is_the_worst_and_no_crash(place, capsys):
    (place / "list").write_text("-10 -inf 2 a b\n-inf -3 1 a\n-12 -3 2 c d\n")
    ranked = out(capsys, "rescore m.safetensors list --format srilm --rerank --weight 0.01").splitlines()
    assert [row.split()[0] for row in ranked] == ["-10", "-12", "-inf"]
    (place / "references").write_text("c d\n")
    assert "0.00%" in out(capsys, "tune-nbest m.safetensors list references --format srilm")


def test_kaldi_references_are_found_by_their_utterance(place, capsys):
    pytest.importorskip("jiwer")
    (place / "kaldi").write_text("utt-a-1 a b\nutt-a-2 a c\nutt-b-1 c d\n")
    (place / "text").write_text("utt-b c d\nutt-a a b\n")
    report = out(capsys, "tune-nbest m.safetensors kaldi text --format kaldi")
    assert "0.00%  (0 errors in 4 words)" in report
    (place / "text").write_text("utt-b c d\na b\n")
    assert run("tune-nbest m.safetensors kaldi text --format kaldi".split()) == 2
    assert "no line begins with 'utt-a'" in capsys.readouterr().err


def test_srilm_references_may_begin_with_the_names_of_their_lists(place, capsys):
    (place / "utt1.nbest").write_text((place / "list").read_text())
    (place / "utt2.nbest").write_text("-5 -3 1 d\n-6 -3 1 e\n")
    (place / "references").write_text("utt2 e\nutt1 a b c\n")
    printed = out(capsys, "tune-nbest m.safetensors utt1.nbest utt2.nbest references --format srilm")
    assert "(2 errors in 4 words)" in printed.splitlines()[0]


def test_noise_and_pieces_are_no_words_to_the_model_and_to_the_references(place, capsys):
    (place / "noise").write_text("[laugh]\n")
    (place / "list").write_text("-1 -2 4 a [laugh] b c\n")
    (place / "references").write_text("a b [laugh] c\n")
    printed = out(capsys, "tune-nbest m.safetensors list references --format srilm --noise noise")
    assert "0.00%  (0 errors in 3 words)" in printed
    scored = out(capsys, "rescore m.safetensors list --format srilm --noise noise")
    assert scored.split()[2:] == "4 a [laugh] b c".split()
    (place / "plain").write_text("-1 -2 3 a b c\n")
    assert out(capsys, "rescore m.safetensors plain --format srilm").split()[1] == scored.split()[1]


def test_hyporadise_files_hold_their_references(place, capsys):
    (place / "h.json").write_text(
        '[{"input": ["a c", "a b"], "output": "a b"}, {"input": ["d"], "output": "d"}]'
    )
    assert "errors in 3 words)" in out(capsys, "tune-nbest m.safetensors h.json --format hyporadise")
    rows = [
        json.loads(line)
        for line in out(capsys, "rescore m.safetensors h.json --format hyporadise").splitlines()
    ]
    assert [row["list"] for row in rows] == ["0", "0", "1"]
    (place / "h.json").write_text('[{"input": ["a c"]}]')
    assert run("tune-nbest m.safetensors h.json --format hyporadise".split()) == 2
    assert "list 1 has no reference" in capsys.readouterr().err
    assert run("tune-nbest m.safetensors list --format srilm".split()) == 2
    assert "name the references too" in capsys.readouterr().err
