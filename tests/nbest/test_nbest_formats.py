import json
import math

import pytest

from langmodel.errors import InputError
from langmodel.nbest import speech_formats
from langmodel.nbest.formats import NBEST_FORMATS
from langmodel.nbest.hypotheses import Rescored, lists
from langmodel.nbest.wording import JOINS, in_model_words

LISTS = {
    "srilm": "-120.5 -14.2 2 the cat\n-119 -15 3 the cat sat\n-200 -9 0\n",
    "moses": "0 ||| the cat ||| LM= -4 TM= -2.5 ||| -6.5\n0 ||| a cat ||| LM= -5 TM= -2 ||| -7\n"
    "1 ||| sat ||| LM= -1 TM= 0 ||| -1\n",
    "fairseq": "S-3\tle chat\nT-3\tthe cat\nH-3\t-0.5\tthe cat\nD-3\t-0.5\tthe cat\nP-3\t-1 -0.2\n"
    "H-3\t-0.75\ta cat\nD-3\t-0.75\ta cat\nP-3\t-1 -0.2\nS-4\tassis\nH-4\t-0.1\tsat\n",
    "opennmt": "the cat\t-1.5\na cat\t-2\nsat\t-1\nsits\t-3\n",
    "kaldi": "utt-a-1 the cat\nutt-a-2 a cat\nutt-b-1 sat\n",
    "utterance": "utt-a the cat\nutt-a a cat\nutt-b sat\n",
    "hyporadise": '[{"input": ["the cat", "a cat"], "output": "the cat"},\n {"input": ["sat"]}]\n',
}


def read(name: str, text: str, group: int | None = 2):
    return list(NBEST_FORMATS[name].read(text.splitlines(), "list.txt", group))


def written(name: str, hypotheses, log_probs, totals) -> str:
    lines = []
    for hypothesis, log_prob, total in zip(hypotheses, log_probs, totals, strict=True):
        lines += [*hypothesis.before, *NBEST_FORMATS[name].write(Rescored(hypothesis, log_prob, total))]
    return "".join(f"{line}\n" for line in lines)


EXPECTED_WITHOUT_WEIGHT = {
    "srilm": "-120.5 -1 2 the cat\n-119 -2 3 the cat sat\n-200 -3 0\n",
    "moses": "0 ||| the cat ||| LM= -4 TM= -2.5 LangModel= -2.30259 ||| -6.5\n"
    "0 ||| a cat ||| LM= -5 TM= -2 LangModel= -4.60517 ||| -7\n"
    "1 ||| sat ||| LM= -1 TM= 0 LangModel= -6.90776 ||| -1\n",
    "fairseq": "S-3\tle chat\nT-3\tthe cat\nH-3\t-0.5\tthe cat\nL-3\t-3.32193\n"
    "D-3\t-0.5\tthe cat\nP-3\t-1 -0.2\n"
    "H-3\t-0.75\ta cat\nL-3\t-6.64386\nD-3\t-0.75\ta cat\nP-3\t-1 -0.2\n"
    "S-4\tassis\nH-4\t-0.1\tsat\nL-4\t-9.96578\n",
    "opennmt": "the cat\t-1.5\t-2.30259\na cat\t-2\t-4.60517\nsat\t-1\t-6.90776\nsits\t-3\t-9.21034\n",
    "kaldi": "utt-a-1 2.30259\nutt-a-2 4.60517\nutt-b-1 6.90776\n",
    "utterance": "utt-a 2.30259\nutt-a 4.60517\nutt-b 6.90776\n",
    "hyporadise": "".join(
        json.dumps({"list": id, "text": text, "log_prob": -math.log(10) * n}) + "\n"
        for n, (id, text) in enumerate([("0", "the cat"), ("0", "a cat"), ("1", "sat")], start=1)
    ),
}


@pytest.mark.parametrize("name", NBEST_FORMATS)
def test_a_list_is_written_as_its_program_reads_it(name):
    hypotheses = read(name, LISTS[name])
    log_probs = [-math.log(10) * (n + 1) for n in range(len(hypotheses))]
    nothing = [None] * len(hypotheses)
    assert written(name, hypotheses, log_probs, nothing) == EXPECTED_WITHOUT_WEIGHT[name]


def test_the_feature_of_a_second_model_has_a_name_of_its_own():
    text = "0 ||| the cat ||| LM= -4 LangModel= -3 LangModel2= -5 ||| -6.5\n"
    assert "LangModel= -3 LangModel2= -5 LangModel3= -2 |||" in written(
        "moses", read("moses", text), [-2.0], [None]
    )


EXPECTED_WITH_TOTAL = {
    "moses": "1 ||| sat ||| LM= -1 TM= 0 LangModel= -6.90776 ||| -4.15888",
    "fairseq": "H-4\t-3\tsat",
    "opennmt": "sat\t-4.15888",
    "kaldi": "utt-b-1 4.15888",
}


@pytest.mark.parametrize("name", EXPECTED_WITH_TOTAL)
def test_a_total_takes_the_place_of_the_list_s_own_in_its_own_base(name):
    hypothesis = read(name, LISTS[name])[2]
    lines = NBEST_FORMATS[name].write(Rescored(hypothesis, -3 * math.log(10), -6 * math.log(2)))
    assert next(iter(lines)) == EXPECTED_WITH_TOTAL[name]


def test_entries_belong_to_the_list_that_they_name():
    assert {name: [len(places) for places in lists(read(name, text))] for name, text in LISTS.items()} == {
        "srilm": [3],
        "moses": [2, 1],
        "fairseq": [2, 1],
        "opennmt": [2, 2],
        "kaldi": [2, 1],
        "utterance": [2, 1],
        "hyporadise": [2, 1],
    }


def test_scores_become_natural_logs():
    assert read("srilm", "-2 -3 1 a\n")[0].own == pytest.approx(-2 * math.log(10))
    assert read("srilm", "-2 -3 1 a\n")[0].own_lm == pytest.approx(-3 * math.log(10))
    assert read("fairseq", "H-1\t-3\ta b\n")[0].own == pytest.approx(-3 * 3 * math.log(2))
    by_token = read("fairseq", "H-1\t-3\ta b\nP-1\t-2 -1 -3 -6\n")[0]
    assert by_token.own == pytest.approx(-12 * math.log(2))
    assert read("moses", "0 ||| a ||| ||| -3\n")[0].own == -3


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("srilm", "NBestList1.0\n(-3) a b\n", r"list.txt:1: NBestList1.0 has bytelog scores"),
        ("srilm", "NBestList2.0\n", r"NBestList2.0 has bytelog scores"),
        ("srilm", "-1 -2 1 a\n-1\n", r"list.txt:2: 1 fields"),
        ("srilm", "-1 x 1 a\n", r"list.txt:1: lscore is 'x', not a number"),
        ("srilm", "-1 -2 3 a\n", r"nwords is 3, but 1 words follow"),
        ("moses", "0 ||| a ||| f= 1\n", r"3 columns; expected id"),
        ("moses", "0 ||| a ||| ||| -3\n0 ||| a ||| ||| -3 ||| 0-0\n", r"list.txt:2: 5 columns, but 4"),
        ("moses", "0 ||| a ||| ||| nan\n", r"the total is 'nan', no score"),
        ("fairseq", "H-1\ta\n", r"list.txt:1: 2 columns"),
        ("fairseq", "the cat\n", r"list.txt: no line of a hypothesis"),
        ("opennmt", "a\t-1\nb\n", r"list.txt:2: 1 columns; expected 2"),
        ("opennmt", "a\t-1\nb\t-1\nc\t-1\n", r"3 lines are not a multiple of --group 2"),
        ("kaldi", "the cat\n", r"list.txt:1: 'the' is no utterance-N"),
        ("kaldi", "u-1 a\nu-2 b\nu-1 a\n", r"list.txt:3: 'u-1' is there twice"),
        ("kaldi", "\n", r"list.txt:1: '' is no utterance-N"),
        ("utterance", "u a\n\n", r"list.txt:2: empty"),
        ("moses", "0 ||| a ||| 0-0 ||| -1 ||| 0-0\n", r"no column of features"),
        ("hyporadise", "{}", r"not a JSON list"),
        ("hyporadise", "[{]", r"not JSON"),
        ("hyporadise", '[{"input": "a"}]', r"object 1 has no list of texts"),
        ("hyporadise", '[{"input": ["a"], "output": 3}]', r"object 1: the reference"),
    ],
)
def test_a_malformed_line_is_named_with_its_number_and_reason(name, text, reason):
    with pytest.raises(InputError, match=reason):
        read(name, text)


def test_srilm_marks_and_pauses_stay_in_the_list_and_out_of_the_text():
    (plain, marked) = read("srilm", "-1 -2 2 a b\n-1 -2 2 <s> a -pau- b </s>\n")
    assert marked.text == plain.text == "a b"
    assert marked.words == 2
    (line,) = NBEST_FORMATS["srilm"].write(Rescored(marked, -math.log(10), None))
    assert line == "-1 -1 2 <s> a -pau- b </s>"


def test_what_fairseq_says_beside_its_lists_is_kept():
    text = "2021 | INFO | fairseq | loaded\nS-1\tx\nW-1\t0.1\tseconds\nH-1\t-1\ta\n"
    text += "Generate test with beam=5: BLEU4 = 3\n"
    (hypothesis,) = read("fairseq", text)
    assert written("fairseq", [hypothesis], [-math.log(2)], [None]).splitlines() == [
        *text.splitlines()[:4],
        "L-1\t-1",
        text.splitlines()[4],
    ]


def test_the_best_of_a_kaldi_list_keeps_its_utterance():
    lines = [NBEST_FORMATS["kaldi"].best(h) for h in read("kaldi", LISTS["kaldi"] + "utt-c-1\n")]
    assert lines == ["utt-a the cat", "utt-a a cat", "utt-b sat", "utt-c"]


def test_open_nmt_lists_do_not_say_how_many_belong_together():
    with pytest.raises(InputError, match="--group N"):
        read("opennmt", "a\n", group=None)


def test_a_feature_whose_name_only_ends_like_ours_is_another():
    line = "0 ||| a b ||| NotLangModel= -1 ||| -2"
    (hypothesis,) = NBEST_FORMATS["moses"].read([line], "list", None)
    (written,) = NBEST_FORMATS["moses"].write(Rescored(hypothesis, -3.0, None))
    assert written.split(" ||| ")[2] == "NotLangModel= -1 LangModel= -3"


MOSES = {
    "alignments before": "0 ||| a b ||| 0-0 1-1 ||| F0= -2 ||| -1",
    "word scores": "0 ||| a b ||| WordScores= -0.5 -1.5 ||| F0= -2 ||| -1",
    "both": "0 ||| a b ||| 0-0 1-1 ||| WordScores= -0.5 -1.5 ||| F0= -2 F1= -3 ||| -1",
    "alignments behind": "0 ||| a b ||| F0= -2 ||| -1 ||| 0-0 1-1",
    "names of old": "0 ||| a b ||| d: 0 lm: -3 w: -2 ||| -1",
    "segments": "0 ||| a |0-0| b |1-2| ||| F0= -2 ||| -1",
}


@pytest.mark.parametrize("line", MOSES.values(), ids=MOSES)
def test_columns_of_moses_and_marian_are_kept_and_the_total_is_after_the_features(line):
    (hypothesis,) = read("moses", line)
    assert (hypothesis.text, hypothesis.own) == ("a b", -1)
    (out,) = NBEST_FORMATS["moses"].write(Rescored(hypothesis, -4.0, -9.0))
    changed = out.replace(" LangModel= -4", "").replace("||| -9", "||| -1")
    assert changed == line and "LangModel= -4 ||| -9" in out


def test_the_third_column_of_nematus_is_a_cost():
    line = "0 ||| a b ||| 1.5"
    (hypothesis,) = read("moses", line)
    assert hypothesis.own == -1.5
    (out,) = NBEST_FORMATS["moses"].write(Rescored(hypothesis, -4.0, None))
    assert out == f"{line} ||| LangModel= -4"
    (again,) = read("moses", out)
    assert again.own == -1.5
    assert list(NBEST_FORMATS["moses"].write(Rescored(again, -5.0, -2.5))) == [
        "0 ||| a b ||| 2.5 ||| LangModel= -4 LangModel2= -5"
    ]


def test_lines_that_fairseq_of_old_wrote_beside_its_lists_stay():
    text = (
        "| [de] dictionary: 5 types\nS-0\tx\nH-0\t-0.5\ta b\nA-0\t0-0\nO-0\todd\n| Translated 1 sentences\n"
    )
    out = written("fairseq", read("fairseq", text), [-1.0], [None])
    assert [line for line in out.splitlines() if not line.startswith("L-")] == text.splitlines()


def test_pieces_become_words_and_noises_none():
    (hypothesis,) = read("moses", "0 ||| wieder@@ wahl [laugh] Ob@@ ama ||| F0= -2 ||| -1")
    assert in_model_words(hypothesis, "bpe", {"[laugh]"}).text == "wiederwahl Obama"
    assert JOINS["sentencepiece"]("\u2581a \u2581bc d e . \u2581f") == "a bcde. f"
    assert JOINS["bpe"]("a b") == "a b"


def test_the_scores_of_open_nmt_are_natural_logs_and_bare_lines_have_none():
    scored, bare = read("opennmt", "a b\t-1.5\na\t-2\n"), read("opennmt", "a b\na\n")
    assert [each.own for each in scored] == [-1.5, -2.0]
    assert [each.own for each in bare] == [0.0, 0.0]
    assert [each.list_id for each in read("opennmt", "a\nb\nc\nd\n")] == ["0", "0", "1", "1"]
    with pytest.raises(InputError, match=r"list.txt:2: the score is 'x', not a number"):
        read("opennmt", "a\t-1\nb\tx\n")
    with pytest.raises(InputError, match=r"list.txt:1: 3 columns; expected 2 in every line"):
        read("opennmt", "a\t-1\t-2\n")
    with pytest.raises(InputError, match=r"list.txt:2: 2 columns; expected 1 in every line"):
        read("opennmt", "a\nb\t-2\n")
    assert read("opennmt", "") == []


def test_an_utterance_s_hypotheses_are_its_words_and_a_total_is_a_cost():
    first, second = read("utterance", "u a  b\nu\n")
    assert (first.text, second.text) == ("a b", "")
    assert list(NBEST_FORMATS["utterance"].write(Rescored(first, -1.0, None))) == ["u 1"]
    assert list(NBEST_FORMATS["utterance"].write(Rescored(first, -1.0, -3.0))) == ["u 3"]
    assert NBEST_FORMATS["utterance"].best(second) == "u"


def test_what_each_format_keeps_of_scores_and_references():
    apart = {name for name, each in NBEST_FORMATS.items() if each.keeps_lm_apart}
    with_ids = {name for name, each in NBEST_FORMATS.items() if each.references_have_ids}
    holding = {name for name, each in NBEST_FORMATS.items() if each.holds_references}
    assert (apart, with_ids, holding) == ({"srilm"}, {"kaldi", "utterance"}, {"hyporadise"})


def test_a_score_of_minus_infinity_is_hopeless_but_a_number():
    (hopeless,) = read("srilm", "-inf -2 1 a\n")
    assert -1e31 < hopeless.own < -1e29


def test_a_json_list_of_any_script_is_read_up_to_a_limit(monkeypatch):
    text = '[{"input": ["żółw"], "output": "żółw"}]'
    hypotheses = list(read("hyporadise", text))
    assert "żółw" in written("hyporadise", hypotheses, [-1.0], [None])
    monkeypatch.setattr(speech_formats, "MAX_JSON_CHARACTERS", len(text))
    assert list(read("hyporadise", text)) == hypotheses
    monkeypatch.setattr(speech_formats, "MAX_JSON_CHARACTERS", len(text) - 1)
    with pytest.raises(InputError, match="characters of JSON"):
        list(read("hyporadise", text))
