"""transformers, minicons and lm-evaluation-harness, run unchanged on our models."""

import copy
import json
import pickle

import pytest
import torch
from conftest import CELLS, make_model

from langmodel.cli.main import run
from langmodel.inference.language_model import LanguageModel, load
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID

transformers = pytest.importorskip("transformers", reason="make peers-test installs transformers")

from langmodel.huggingface import LangModelForCausalLM, from_langmodel  # noqa: E402

TEXTS = ["the cat sat on the mat .", 'a "bird" sang , and zebras ran', "the dog", ""]


ADAPTIVE = {"cell": "lstm", "tied": True, "cutoffs": (8, 13)}


@pytest.fixture(params=[*({"cell": cell} for cell in CELLS), ADAPTIVE], ids=str)
def lm(request) -> LanguageModel:
    words = tuple("the a cat dog bird sat sang ran on mat . , and `` ''".split())
    return make_model(words=words, embedding_size=5, hidden_sizes=(6, 4), **request.param)


@pytest.fixture
def mixed(tmp_path, poem) -> LanguageModel:
    """With n-grams beside the network."""
    place = str(tmp_path / "run")
    assert run(["preprocess", str(poem), "-o", str(tmp_path / "c"), "--sentences", "line"]) == 0
    small = ["--hidden-size", "8", "--embedding-size", "8", "--epochs", "1", "--no-baselines"]
    assert run(["train", str(tmp_path / "c"), "-o", place, *small, "--threads", "1"]) == 0
    found = load(place)
    assert found.ngrams is not None
    return found


def encoded(lm: LanguageModel, text: str) -> list[int]:
    words = lm.pipeline.tokenize(text)
    return [START_ID, *lm.pipeline.encode(words, lm.vocabulary), END_ID]


def test_the_tokenizer_reads_what_the_pipeline_reads(lm):
    _, tokenizer = from_langmodel(lm)
    assert tokenizer.is_fast
    for text in TEXTS[:3]:
        marked = f"{tokenizer.bos_token}{text}{tokenizer.eos_token}"
        assert tokenizer(marked).input_ids == encoded(lm, text)
    offsets = tokenizer("the cat .", return_offsets_mapping=True).offset_mapping
    assert offsets == [(0, 3), (4, 7), (8, 9)]
    decoded = tokenizer.decode(encoded(lm, "the cat sat ."), skip_special_tokens=True)
    assert decoded == lm.pipeline.detokenize("the cat sat .".split())


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side_changes_nothing(lm, side):
    model, tokenizer = from_langmodel(lm)
    tokenizer.padding_side = side
    batch = tokenizer([f"<s>{text}</s>" for text in TEXTS], return_tensors="pt", padding=True)
    with torch.no_grad():
        together = model(**batch)
    for row, text in enumerate(TEXTS):
        ids = encoded(lm, text)
        with torch.no_grad():
            alone = model(torch.tensor([ids]))
        own = together.logits[row][batch.attention_mask[row].bool()]
        assert torch.allclose(own, alone.logits[0], atol=1e-5)
        log_probs = alone.logits[0][:-1].gather(1, torch.tensor(ids[1:]).unsqueeze(1))
        assert float(log_probs.sum()) == pytest.approx(lm.score(text).log_prob, abs=1e-4)
        for ours, theirs in zip(together.state, alone.state, strict=True):
            for part, other in zip(ours, theirs, strict=True):
                assert torch.allclose(part[row], other[0], atol=1e-5)
    assert torch.allclose(
        together.logits.exp().sum(-1)[batch.attention_mask.bool()], torch.tensor(1.0), atol=1e-5
    )


def test_a_mixture_saved_and_loaded_by_the_auto_classes_scores_the_same(mixed, tmp_path):
    model, tokenizer = mixed.to_huggingface()
    model.save_pretrained(tmp_path / "hf")
    tokenizer.save_pretrained(tmp_path / "hf")
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    words = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert isinstance(again, LangModelForCausalLM)
    text = "the cat sat on a mat ."
    ids = words(f"<s>{text}</s>", return_tensors="pt").input_ids
    assert ids[0].tolist() == encoded(mixed, text)
    with torch.no_grad():
        first, second = model(ids).logits, again(ids).logits
    assert torch.equal(first, second)
    log_probs = second[0, :-1].gather(1, ids[0, 1:].unsqueeze(1))
    assert float(log_probs.sum()) == pytest.approx(mixed.score(text).log_prob, abs=1e-4)


def test_generation_goes_on_from_its_state_and_never_says_unknown(lm):
    model, tokenizer = from_langmodel(lm)
    batch = tokenizer(["<s>the cat", "<s>a"], return_tensors="pt", padding=True, padding_side="left")
    made = model.generate(**batch, max_new_tokens=9, do_sample=False)
    prompt = batch.input_ids.shape[1]
    for row in range(2):
        ids = batch.input_ids[row][batch.attention_mask[row].bool()].tolist()
        for id in made[row, prompt:].tolist():
            with torch.no_grad():
                logits = model(torch.tensor([ids])).logits[0, -1]
            logits[UNK_ID] = -torch.inf
            assert int(logits.argmax()) == id
            ids.append(id)
            if id == END_ID:
                break


def test_a_network_learns_through_it_and_a_tokenizer_can_be_copied(lm):
    model, tokenizer = from_langmodel(lm)
    ids = torch.tensor([encoded(lm, TEXTS[0])])
    loss = model(ids, labels=ids).loss
    assert loss.item() == pytest.approx(-lm.score(TEXTS[0]).log_prob / (ids.shape[1] - 1), abs=1e-5)
    if lm.network.architecture.cutoffs:  # it scores, and has no gradient here
        assert not loss.requires_grad
    else:
        loss.backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
    for other in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert other(TEXTS[1]).input_ids == tokenizer(TEXTS[1]).input_ids


def test_special_names_give_way_to_words_that_look_like_them():
    lm = make_model(words=("<s>", "b"))
    _, tokenizer = from_langmodel(lm)
    assert tokenizer.bos_token == "<<s>>"
    assert tokenizer("b").input_ids == [4]


def test_minicons_scores_are_ours(lm):
    scorer = pytest.importorskip("minicons.scorer", reason="make peers-test installs minicons")
    model, tokenizer = from_langmodel(lm)
    theirs = scorer.IncrementalLMScorer(model, "cpu", tokenizer=tokenizer)
    rows = theirs.token_score(TEXTS[:3], bos_token=True, eos_token=True)
    sums = theirs.sequence_score(
        TEXTS[:3], bos_token=True, eos_token=True, reduction=lambda x: x.sum().item()
    )
    for text, row, total in zip(TEXTS, rows, sums, strict=False):
        score = lm.score(text)
        for (_, log_prob), word in zip(row[1:], score.words, strict=True):
            assert log_prob == pytest.approx(word.log_prob, abs=1e-4)
        assert total == pytest.approx(score.log_prob, abs=1e-3)


def test_lm_evaluation_harness_judges_blimp_as_stimuli_does(lm, tmp_path, capsys, monkeypatch):
    """On a local file, as its own `blimp` tasks are written."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    lm_eval = pytest.importorskip("lm_eval", reason="make peers-test installs lm-eval")
    huggingface = pytest.importorskip("lm_eval.models.huggingface")
    tasks = pytest.importorskip("lm_eval.tasks")
    pairs = [
        ("the cat sat .", "cat the . sat"),
        ("a bird sang", "sang bird a"),
        ("the dog ran .", "the ran dog ."),
    ]
    file = tmp_path / "pairs.jsonl"
    file.write_text(
        "".join(
            json.dumps({"sentence_good": good, "sentence_bad": bad, "UID": "x", "field": "y"}) + "\n"
            for good, bad in pairs
        )
    )
    (tmp_path / "local_blimp.yaml").write_text(f"""
task: local_blimp
dataset_path: json
dataset_kwargs: {{data_files: {{train: {file}}}}}
output_type: multiple_choice
validation_split: train
doc_to_text: ""
doc_to_target: 0
doc_to_choice: "{{{{[sentence_good, sentence_bad]}}}}"
num_fewshot: 0
metric_list: [{{metric: acc}}]
metadata: {{version: 1.0}}
""")
    model, tokenizer = from_langmodel(lm)
    wrapped = huggingface.HFLM(pretrained=model, tokenizer=tokenizer, device="cpu", batch_size=2)
    manager = tasks.TaskManager(include_path=str(tmp_path), include_defaults=False)
    found = lm_eval.simple_evaluate(wrapped, tasks=["local_blimp"], task_manager=manager, bootstrap_iters=0)
    without_end = [
        sum(word.log_prob for word in lm.score(good).words[:-1])
        > sum(word.log_prob for word in lm.score(bad).words[:-1])
        for good, bad in pairs
    ]
    assert found["results"]["local_blimp"]["acc,none"] == pytest.approx(sum(without_end) / 3)
