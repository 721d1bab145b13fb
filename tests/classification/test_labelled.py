"""Texts with labels from every kind of file, and what is wrong with some."""

import gzip
import io
import json
import sys
import zipfile
from collections import Counter

import pytest

from langmodel.classification.labelled import (
    Columns,
    LabelledText,
    class_names,
    held_out,
    read_labelled,
    read_texts,
    stratified_parts,
)
from langmodel.errors import ConfigError, CorpusError


def pairs(*sources: str, **columns: str) -> list[tuple[str, str | None]]:
    return [(each.label, each.text) for each in read_labelled(map(str, sources), Columns(**columns))]


BOTH = [("good", "a fine film"), ("bad", "no, never")]


def test_a_csv_by_its_columns(tmp_path):
    file = tmp_path / "r.csv"
    file.write_text('label,id,text\ngood,1,a fine film\nbad,2,"no, never"\n')
    assert pairs(file) == BOTH


def test_other_columns_and_separators(tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("mood;said\ngood;a fine film\nbad;no, never\n")
    assert pairs(file, text="said", label="mood") == BOTH


def test_a_tsv_compressed(tmp_path):
    file = tmp_path / "r.tsv.gz"
    file.write_bytes(gzip.compress(b"text\tlabel\na fine film\tgood\nno, never\tbad\n"))
    assert pairs(file) == BOTH


def test_json_lines_with_numbers_as_labels(tmp_path):
    file = tmp_path / "r.jsonl"
    file.write_text("".join(json.dumps({"text": text, "label": n}) + "\n" for n, text in enumerate("ab")))
    assert pairs(file) == [("0", "a"), ("1", "b")]


def test_lines_of_the_tutorial_and_of_fasttext(tmp_path):
    file = tmp_path / "r.txt"
    file.write_text("good +++$+++ a fine film\n__label__bad no, never\n")
    assert pairs(file) == BOTH


def test_a_folder_for_each_class_and_the_same_in_an_archive(tmp_path):
    for label, text in BOTH:
        (tmp_path / "r" / label).mkdir(parents=True)
        (tmp_path / "r" / label / "1.txt").write_text(f"{text}\nand more\n")
    (tmp_path / "r" / "README").write_text("not a text\n")
    expected = sorted((label, f"{text}\nand more") for label, text in BOTH)
    assert sorted(pairs(tmp_path / "r")) == expected
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("r/README", "not a text either\n")
        for label, text in BOTH:
            archive.writestr(f"r/{label}/1.txt", f"{text}\nand more\n")
    assert sorted(pairs(tmp_path / "r.zip")) == expected


def test_a_file_for_each_class(tmp_path):
    (tmp_path / "g.txt").write_text("a fine film\n")
    (tmp_path / "b.txt").write_bytes("n\xe9e\n".encode("latin-1"))
    found = pairs(f"good={tmp_path / 'g.txt'}", f"bad={tmp_path / 'b.txt'}", encoding="latin-1")
    assert found == [("good", "a fine film"), ("bad", "née")]


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"good +++$+++ yes\n")))
    assert pairs("-") == [("good", "yes")]


def test_texts_may_come_without_labels(tmp_path):
    file = tmp_path / "more.txt"
    file.write_text("one\n\ntwo\n")
    assert [(each.text, each.label) for each in read_texts(str(file))] == [
        ("one", None),
        ("", None),
        ("two", None),
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "txt,label\na,b\n", "no column 'text'"),
        ("a.csv", "text,label\na\n", "row 2: 1 columns"),
        ("a.csv", "text,label\na,\n", "row 2: the label is empty"),
        ("a.csv", 'text,label\n"a,b\n', "not valid CSV"),
        ("a.csv", "text,label\n", "no texts"),
        ("a.csv", "text,label\n ,good\n", "row 2: the text is empty"),
        ("a.csv", "text\nb\n", "no label"),
        ("a.jsonl", "{\n", "line 1 is not JSON"),
        ("a.jsonl", "[]\n", "not a JSON object"),
        ("a.jsonl", '{"text": 3}\n', "no text field"),
        ("a.jsonl", '{"text": "a", "label": [1]}\n', "neither text nor"),
        ("a.txt", "no label here\n", "line 1: no label"),
        ("a.txt", " +++$+++ x\n", "the label is empty"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_place(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(CorpusError, match=said):
        pairs(tmp_path / name)


def test_missing_files_and_corpora_say_what_to_give(tmp_path):
    for source in (f"good={tmp_path / 'none'}", str(tmp_path / "none.csv"), "nltk:movie_reviews"):
        with pytest.raises(CorpusError):
            pairs(source)


def texts(**counts: int) -> list[LabelledText]:
    return [LabelledText(f"text {i}", label, "") for label, n in counts.items() for i in range(n)]


def test_classes_are_sorted_and_there_must_be_two_of_two():
    assert class_names(texts(b=2, a=3)) == ("a", "b")
    with pytest.raises(CorpusError, match="every text is labelled 'a'"):
        class_names(texts(a=9))
    with pytest.raises(CorpusError, match="'b' has a single text"):
        class_names(texts(a=9, b=1))
    with pytest.raises(CorpusError, match="no text has a label"):
        class_names([])


def test_parts_are_disjoint_whole_and_even_in_every_class():
    labels = ["a"] * 31 + ["b"] * 14
    parts = stratified_parts(labels, 5, seed=2)
    assert sorted(row for part in parts for row in part) == list(range(45))
    for part in parts:
        counts = Counter(labels[row] for row in part)
        assert counts["a"] in (6, 7) and counts["b"] in (2, 3)
    assert parts == stratified_parts(labels, 5, seed=2) != stratified_parts(labels, 5, seed=3)
    for wrong in (1, 46):
        with pytest.raises(ConfigError, match="folds"):
            stratified_parts(labels, wrong, seed=1)


def test_a_share_of_each_class_is_held_out_never_all_of_it():
    labels = ["a"] * 40 + ["b"] * 2
    stay, out = held_out(labels, 0.1, seed=1)
    assert sorted(stay + out) == list(range(42))
    assert Counter(labels[row] for row in out) == {"a": 4, "b": 1}
    _, most = held_out(labels, 0.99, seed=1)
    assert Counter(labels[row] for row in most) == {"a": 39, "b": 1}
