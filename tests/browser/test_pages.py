"""Both pages in a real browser: every panel is used, and its numbers are compared with Python's.

Run by `make browser-test`. Screenshots are left in the folder that SCREENSHOTS names, if it does.
"""

import os
import re
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from conftest import CELLS, make_model
from serving import HOSTILE

from langmodel.inference.heat_map import DARK, LIGHT, ground
from langmodel.inference.language_model import LanguageModel
from langmodel.text.pipeline import Pipeline
from langmodel.text.python_documentation import documentation
from langmodel.text.vocabulary import Vocabulary
from langmodel.web.export import export_page
from langmodel.web.served import ServedModel

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

expect = playwright.expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

SIZES = {"desk": {"width": 1100, "height": 800}, "phone": {"width": 380, "height": 780}}

Page = Any


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    """A page that fails the test on any error of its scripts, and on any dialog."""
    opened = browser.new_page(viewport=SIZES["desk"])
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    opened.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
    yield opened
    opened.close()
    assert [problem for problem in problems if "Failed to load resource" not in problem] == []


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("html[data-ready]")


def keep_screenshot(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def exported(lm: LanguageModel, place: Path, form: str = "float16") -> tuple[str, LanguageModel]:
    """The address of a page, and the model as the page has it."""
    facts = (("network", "a test's"), ("words", str(len(lm.vocabulary))))
    made = export_page(ServedModel("m", lm, facts), "a page", form)
    (place / "page.html").write_text(made.html, encoding="utf-8")
    return (place / "page.html").as_uri(), made.lm


def use_every_panel(page: Page, lm: LanguageModel) -> None:
    page.fill("#seed", "3")
    page.fill("#n", "4")
    page.fill("#prefix", "the cat")
    page.fill("#ban", "dog")
    page.click("#write-form button[type=submit]")
    page.wait_for_selector("#drawn li:nth-child(4)")
    drawn = page.locator("#drawn li").all_inner_texts()
    assert all(text.startswith("the cat") and "dog" not in text for text in drawn)
    page.click("#write-form button[type=submit]")
    page.wait_for_selector("#drawn li:nth-child(4)")
    assert page.locator("#drawn li").all_inner_texts() == drawn
    keep_screenshot(page, "write")

    page.click("#drawn li:nth-child(1) .word >> nth=1")
    page.wait_for_selector(".alternatives button")
    offered = page.locator(".alternatives button").all_inner_texts()
    expected = [word for word in lm.next_words("the", 12) if word.word not in ("</s>", "<unk>")]
    assert [text.rsplit(" ", 2)[0] for text in offered] == [word.word for word in expected]
    page.click(".alternatives button >> nth=0")
    expect(page.locator("#drawn li")).to_have_count(4)
    assert page.input_value("#prefix") == f"the {expected[0].word}"
    assert page.locator("#drawn li").first.inner_text().startswith(f"the {expected[0].word}")

    page.click("#tab-next")
    page.fill("#typed", "the ca")
    expect(page.locator("#likeliest li").first).to_contain_text("cat")
    page.locator("#typed").press("Tab")
    expect(page.locator("#typed")).to_have_value("the cat ")
    first = lm.next_words("the cat", 1)[0]
    share = f"{first.probability:.1%}".replace("%", " %")
    expect(page.locator("#likeliest li").first).to_contain_text(share)
    page.locator("#typed").press("Escape")
    page.locator("#typed").press("Tab")
    assert page.evaluate("document.activeElement.id") != "typed"

    page.click("#tab-judge")
    page.fill("#judged", "the cat sat .\nthe xyzzy ran")
    page.check("#by-line")
    page.click("#judge-form button")
    page.wait_for_selector("#judgement .lm p:not(.legend) .w")
    scores = [lm.score("the cat sat ."), lm.score("the xyzzy ran")]
    labels = page.locator("#judgement .lm p:not(.legend) .w[aria-label]").evaluate_all(
        "all => all.map(w => w.ariaLabel)"
    )
    shown = [word for score in scores for word in score.words]
    assert labels == [
        f"{'¶' if word.word == '</s>' else word.word}, {word.surprisal:.1f} bits" for word in shown
    ]
    totals = page.locator("#judgement .total").all_inner_texts()
    assert totals[0].startswith(f"perplexity {scores[0].perplexity:,.2f}".rstrip("0").rstrip("."))
    assert totals[1].endswith("4 tokens, 1 unknown")
    page.locator("#judgement .lm p:not(.legend) .w >> nth=1").focus()
    tip = page.locator("#judgement .lm p:not(.legend) .w >> nth=1").locator(".tip")
    assert tip.is_visible()
    assert scores[0].words[1].expected[0].word in tip.inner_text()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.ariaLabel").startswith("sat, ")
    keep_screenshot(page, "judge")

    page.click("#tab-compare")
    page.fill("#first-text", "the cat sat")
    page.fill("#second-text", "the dog sat")
    page.click("#compare-form button")
    page.wait_for_selector("#comparison .columns")
    first, second = lm.score("the cat sat"), lm.score("the dog sat")
    differences = page.locator(".difference").all_inner_texts()
    expected_last = second.words[-1].surprisal - first.words[-1].surprisal
    assert float(differences[-1].replace("−", "-")) == pytest.approx(expected_last, abs=0.06)
    bits = abs(first.log_prob - second.log_prob) / 0.6931471805599453
    assert f"likelier by {bits:.2f} bits" in page.inner_text("#comparison")
    keep_screenshot(page, "compare")

    page.click("#tab-about")
    assert "network" in page.inner_text("#about")
    page.locator("#tab-about").press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-write"
    assert page.is_visible("#prefix")


def test_every_panel_of_the_playground(page, served):
    open_page(page, f"http://127.0.0.1:{served.port}/")
    use_every_panel(page, served.lm)
    page.click("#tab-compare")
    page.check("[name=what][value=models]")
    page.click("#compare-form button")
    page.wait_for_selector("#comparison .columns")
    page.select_option("#model", "other")
    page.click("#tab-about")
    assert "GRU" in page.inner_text("#about")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_every_panel_of_a_page_by_itself(page, tmp_path, cell, tied):
    words = ("the", "cat", "dog", "sat", "ran", ".", HOSTILE)
    address, lm = exported(make_model(cell, words=words, tied=tied, hidden_sizes=(6, 7)), tmp_path)
    open_page(page, address)
    use_every_panel(page, lm)


def test_a_network_without_an_embedding_is_read(page, tmp_path):
    for cell in CELLS:
        address, lm = exported(make_model(cell, embedding_size=0), tmp_path)
        open_page(page, address)
        found = page.evaluate("engine.score({text: 'a b c d'})")["sentences"][0]
        assert found["log_prob"] == pytest.approx(lm.score("a b c d").log_prob, abs=1e-5)


def test_hostile_words_stay_text(page, served, tmp_path):
    address = exported(make_model(words=("the", HOSTILE, "cat")), tmp_path)[0]
    for where in (f"http://127.0.0.1:{served.port}/", address):
        open_page(page, where)
        page.fill("#include", HOSTILE)
        page.fill("#n", "2")
        page.click("#write-form button[type=submit]")
        page.wait_for_selector("#drawn li:nth-child(2)")
        assert HOSTILE in page.inner_text("#drawn")
        page.click("#tab-judge")
        page.fill("#judged", f"the {HOSTILE}")
        page.click("#judge-form button")
        page.wait_for_selector("#judgement .lm p:not(.legend) .w")
        assert HOSTILE in page.inner_text("#judgement")
        assert page.locator("main img").count() == 0


def test_a_mistake_is_said_on_the_page(page, served, tmp_path):
    address = exported(make_model(), tmp_path)[0]
    for where in (f"http://127.0.0.1:{served.port}/", address):
        open_page(page, where)
        page.fill("#include", "xyzzy")
        page.click("#write-form button[type=submit]")
        page.wait_for_selector("#problem:not([hidden])")
        assert "xyzzy" in page.inner_text("#problem")
        page.fill("#include", "")
        page.click("#write-form button[type=submit]")
        page.wait_for_selector("#drawn li")
        assert page.is_hidden("#problem")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_fits_a_phone_and_the_dark(browser, served, size, scheme):
    page = browser.new_page(viewport=SIZES[size], color_scheme=scheme)
    open_page(page, f"http://127.0.0.1:{served.port}/")
    page.click("#write-form button[type=submit]")
    page.wait_for_selector("#drawn li:nth-child(5)")
    for tab in ("write", "next", "judge", "compare", "about"):
        page.click(f"#tab-{tab}")
        if tab == "judge":
            page.fill("#judged", "the cat sat .\nthe xyzzy ran")
            page.click("#judge-form button")
            page.wait_for_selector("#judgement .lm p:not(.legend) .w")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{tab} is {wide} pixels too wide"
        keep_screenshot(page, f"{size}-{scheme}-{tab}")
    unlabelled = page.evaluate(
        "[...document.querySelectorAll('input, textarea, select')]"
        ".filter(e => !e.labels.length).map(e => e.id)"
    )
    assert unlabelled == []
    page.close()


def test_colours_are_those_of_the_heat_map_in_python(page, served):
    open_page(page, f"http://127.0.0.1:{served.port}/")
    assert page.evaluate("[ground(0), ground(99)]") == [list(LIGHT), list(DARK)]
    for bits in (1.0, 5.5, 11.25):
        assert page.evaluate(f"ground({bits})") == pytest.approx(list(ground(bits)), abs=1)


ODD = (
    'He said, "I can\'t," and left.',
    "“I don’t know,” said she; “it’s the dogs’ tail.”",
    "a 'quoted' word's end.",
    "It cost $3.50 (or 3,50 €) -- in all!",
    "Dr. Who isn't here...",
    "gonna wanna cannot 'tis 'twas the '90s",
    "l'été qu'il dell'amico «oui»",
    "„Ja“, sagte er.",
    "x: y; z? [a] {b} <c>",
    "...",
    "'",
    '"',
    "`` a ''",
    "a ' b",
    "naïve café résumé — well–known",
    "http://a.b/c?d=e&f=g 50% #1 @you",
    "d&szlig; a|b 1,000 ,, --- ..",
)


def sentences() -> list[str]:
    """Odd ones, and sentences of Python's documentation, which has many kinds of marks."""
    lines = [line for _, part in islice(documentation(), 60) for line in part if len(line.split()) > 3]
    return [*ODD, *lines[:: max(1, len(lines) // 600)]]


@pytest.mark.parametrize("case", ["lower", "keep", "true"])
@pytest.mark.parametrize("tokenizer", ["nltk", "toktok", "whitespace", "character", "byte"])
def test_text_is_cut_and_joined_as_in_python(page, tmp_path, tokenizer, case):
    pipeline = Pipeline(tokenizer=tokenizer, sentences="line", case=case, lowered=("it", "he", "a", "the"))
    words = sorted({word for text in ODD for word in pipeline.normalize_sentence(pipeline.tokenize(text))})
    lm = make_model(words=(*words, *{"it", "he", "a", "the"}.difference(words)))
    lm.pipeline = pipeline
    open_page(page, exported(lm, tmp_path)[0])
    texts = sentences()
    cut = [pipeline.tokenize(text) for text in texts]
    assert page.evaluate("texts => texts.map(tokenize)", texts) == cut
    forms = [pipeline.normalize_sentence(words) for words in cut]
    joined = [pipeline.detokenize(words) for words in forms]
    assert page.evaluate("all => all.map(detokenize)", forms) == joined
    ids = [pipeline.encode(words, lm.vocabulary) for words in cut]
    assert page.evaluate("all => all.map(encode)", cut) == ids


def test_log_probabilities_are_python_s(page, tmp_path):
    vocabulary = Vocabulary([f"w{number}" for number in range(300)], [1] * 300)
    for form in ("float16", "int8"):
        lm = make_model("lstm", words=vocabulary.words, embedding_size=64, hidden_sizes=(48, 64), tied=True)
        address, rounded = exported(lm, tmp_path, form)
        open_page(page, address)
        texts = [" ".join(sentence.words) for sentence in lm.sample(100, seed=5, max_length=30)]
        rows = page.evaluate("text => engine.score({text})", "\n".join(texts))["sentences"]
        for text, row in zip(texts, rows, strict=True):
            score = rounded.score(text)
            for word, found in zip(score.words, row["words"], strict=True):
                assert found["log_prob"] == pytest.approx(word.log_prob, abs=2e-4)
                assert found["entropy"] == pytest.approx(word.entropy, abs=2e-4)


def test_sampling_in_the_page_follows_the_model(page, tmp_path):
    lm = make_model(words=("a", "b", "c"))
    address, rounded = exported(lm, tmp_path)
    open_page(page, address)
    drawn = page.evaluate(
        "async () => { const rows = [];"
        "await engine.sample({n: 3000, seed: 1, max_length: 1}, row => rows.push(row.words[0]));"
        "return rows; }"
    )
    shares = {word.word: word.probability for word in rounded.next_words("", 6)}
    kept = sum(shares[word] for word in "abc")
    for word in "abc":
        assert drawn.count(word) / 3000 == pytest.approx(shares[word] / kept, abs=0.04)
    assert not re.search("<unk>|</s>", " ".join(drawn))
