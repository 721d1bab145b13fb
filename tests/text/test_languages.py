"""The whole chain in other scripts. The texts were written for these tests."""

import json
import sys

import pytest

from langmodel.cli.main import run
from langmodel.errors import ConfigError
from langmodel.inference.language_model import load
from langmodel.storage.run_files import read_run
from langmodel.text.own_tokenizer import TRUSTED
from langmodel.text.pipeline import Pipeline
from langmodel.text.tokenizers import make_tokenizer

CHINESE = """我们今天去公园散步。
公园里有很多花。
他说 Python 3 很有意思。
我喜欢在公园里看书。
今天天气很好。
"""

ARABIC = """ذهب الولد إلى المدرسة.
قرأت البنت كتابا جديدا.
هل رأيت البيت الكبير؟
كان الولد يقرأ في البيت.
المدرسة قريبة من البيت.
"""

THAI = """วันนี้อากาศดีมาก
ฉันไปโรงเรียนทุกวัน
แมวนอนอยู่บนโต๊ะ
เขาอ่านหนังสือในบ้าน
บ้านของฉันอยู่ใกล้โรงเรียน
"""

CHAINS = {
    "Chinese words": (CHINESE, "jieba", "我们去公园。", ["我们", "去", "公园", "。"]),
    "Chinese characters": (CHINESE, "character", "去公园。", ["去", "公", "园", "。"]),
    "Chinese bytes": (CHINESE, "byte", "去。", ["<0xe5>", "<0x8e>", "<0xbb>", "<0xe3>", "<0x80>", "<0x82>"]),
    "Arabic": (ARABIC, "nltk", "ذهب الولد إلى البيت.", ["ذهب", "الولد", "إلى", "البيت", "."]),
    "Thai": (THAI, "character", "แมวดี", ["แ", "ม", "ว", "ด", "ี"]),
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_whole_chain(name, tmp_path, monkeypatch, capsys):
    text, tokenizer, sentence, words = CHAINS[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(text * 8)
    assert run(["preprocess", "text.txt", "-o", "c", "--tokenizer", tokenizer, "--sentences", "line"]) == 0
    train = (
        "train c -o r --hidden-size 16 --embedding-size 8 --epochs 20 --batch-size 4 --evaluate-every 9999"
    )
    assert run([*train.split(), "--dropout", "0", "--learning-rate", "0.02", "--no-baselines"]) == 0
    assert read_run(tmp_path / "r")["finished"]
    (tmp_path / "lines").write_text(f"{sentence}\n{text.splitlines()[0]}\n")
    capsys.readouterr()
    assert run("score r lines --format jsonl".split()) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["text"] == sentence
    assert [word["word"] for word in first["words"][:-1]] == words
    assert second["oov"] == 0
    assert run("sample r -n 5 --seed 1".split()) == 0
    samples = capsys.readouterr().out.splitlines()
    assert len(samples) == 5
    known = set(text) | {" "}
    for sample in samples:
        assert set(sample) <= known or tokenizer == "byte"  # bytes may form characters that were never seen
        if tokenizer == "jieba":
            assert " 。" not in sample
    if tokenizer == "character":  # a blank is a character like others, and nothing is put between two
        assert run("sample r -n 5 --seed 1 --format jsonl".split()) == 0
        drawn = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert all(sample["text"] == "".join(sample["words"]) for sample in drawn)


def test_chinese_is_put_together_without_blanks_and_latin_words_with():
    tokenizer = make_tokenizer("jieba")
    words = tokenizer.tokenize("他说 Python 3 很有意思。")
    assert "Python" in words
    assert tokenizer.detokenize(words) == "他说Python 3很有意思。"
    assert tokenizer.detokenize(["ab", "12", "去", "x"]) == "ab 12去x"
    assert tokenizer.detokenize([".", "1", "x去", "1", "x."]) == ".1 x去1 x."


def test_without_rjieba_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rjieba", None)
    with pytest.raises(ConfigError, match=r"pip install 'langmodel\[zh\]'"):
        make_tokenizer("jieba").tokenize("公园")


OWN = """
import pathlib
pathlib.Path("imported").touch()

def cut(sentence):
    return sentence.split("-")

def broken(sentence):
    return [1, 2]
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module `tokens_of_mine` in the current folder, not imported yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "tokens_of_mine", raising=False)
    (tmp_path / "tokens_of_mine.py").write_text(OWN)
    (tmp_path / "text.txt").write_text("a-b c-d\na-d-b c\nb c-a-a\n" * 9)
    return tmp_path


PREPROCESS = "preprocess text.txt -o c --sentences line --tokenizer tokens_of_mine:cut".split()


def test_a_tokenizer_of_one_s_own_goes_through_the_chain(own, monkeypatch, capsys):
    monkeypatch.setenv(TRUSTED, "tokens_of_mine:cut")
    assert run(PREPROCESS) == 0
    assert run("train c -o r --hidden-size 8 --embedding-size 8 --epochs 2 --batch-size 2".split()) == 0
    lm = load("r")
    assert [word.word for word in lm.score("a-b c-zzz").words[:-1]] == ["a", "b c", "zzz"]
    assert lm.pipeline.tokenizer == "tokens_of_mine:cut"


def test_training_needs_no_tokenizer(own, monkeypatch):
    monkeypatch.setenv(TRUSTED, "tokens_of_mine:cut")
    assert run(PREPROCESS) == 0
    monkeypatch.delenv(TRUSTED)
    assert run("train c -o r --hidden-size 8 --embedding-size 8 --epochs 2 --batch-size 2".split()) == 0
    assert read_run(own / "r")["finished"]


def test_a_file_that_names_a_function_does_not_import_it(own, monkeypatch, capsys):
    monkeypatch.delenv(TRUSTED, raising=False)
    command = [*PREPROCESS[:-1], "tokens_of_mine:other"]
    assert run(command) == 2
    assert f"set {TRUSTED}=tokens_of_mine:other" in capsys.readouterr().err
    monkeypatch.setenv(TRUSTED, "another:function")
    assert run(command) == 2
    pipeline = Pipeline.from_dict({**Pipeline().to_dict(), "tokenizer": "tokens_of_mine:other"})
    with pytest.raises(ConfigError, match="is code"):
        pipeline.tokenize("a-b")
    assert not (own / "imported").exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tokens_of_mine:missing", "cannot be imported"),
        ("no_such_module:cut", "cannot be imported"),
        ("tokens_of_mine:broken", "must give a list of words"),
    ],
)
def test_a_function_that_does_not_work_is_one_line(own, monkeypatch, name, reason):
    monkeypatch.setenv(TRUSTED, name)
    with pytest.raises(ConfigError, match=reason):
        make_tokenizer(name).tokenize("a")


@pytest.mark.parametrize("name", ["os.system", "a:b:c", ":cut", "mine:", "a b:c", "magic"])
def test_what_is_neither_known_nor_module_and_function_is_unknown(name):
    with pytest.raises(ConfigError, match="unknown tokenizer"):
        make_tokenizer(name)
