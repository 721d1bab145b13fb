"""What CONTRIBUTING.md says one can add, each done once: edits of a copy, and commands that use it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Edit:
    """A text put before the first `before`, or in place of the first `instead_of`; else a new file."""

    file: str
    text: str
    before: str = ""
    instead_of: str = ""

    def apply(self, package: Path) -> None:
        target = package / self.file
        mark = self.before or self.instead_of
        old = target.read_text() if mark else ""
        assert mark in old, f"{self.file}: {mark!r} is gone; bring the recipe up to date"
        before, _, after = old.partition(mark) if mark else ("", "", "")
        target.write_text(before + self.text + self.before + after)


@dataclass(frozen=True)
class Extension:
    edits: tuple[Edit, ...]
    commands: tuple[str, ...]
    """Lines for `langmodel`; one that begins with `python:` is a statement."""

    @property
    def files(self) -> int:
        return len({edit.file for edit in self.edits})

    @property
    def lines(self) -> int:
        return sum(edit.text.count("\n") for edit in self.edits)


TINY = "--epochs 1 --hidden-size 8 --embedding-size 8 --batch-size 2 --no-baselines"

EXTENSIONS = {
    "tokenizer": Extension(
        (
            Edit("text/tokenizers.py", "import re\n", before="from collections.abc"),
            Edit(
                "text/tokenizers.py",
                """class RegexTokenizer:
    \"\"\"Runs of letters and digits, and every other character by itself.\"\"\"

    def tokenize(self, sentence: str) -> list[str]:
        return re.findall(r"\\w+|[^\\w\\s]", sentence)

    def detokenize(self, words: Sequence[str]) -> str:
        return " ".join(words)


""",
                before="TOKENIZERS: dict",
            ),
            Edit(
                "text/tokenizers.py", '    "regex": RegexTokenizer,\n', before='    "whitespace": Whitespace'
            ),
        ),
        (
            "preprocess text.txt -o words --tokenizer regex --sentences line",
            "info words",
            f"train words -o words-run {TINY}",
            "info words-run",
            "score words-run text.txt",
        ),
    ),
    "cell": Extension(
        (
            Edit(
                "network/cells.py",
                """def _leaky(
    input_TBG: Tensor, weight: Tensor, bias: Tensor | None, state: LayerState
) -> tuple[Tensor, LayerState]:
    \"\"\"h' = (h + tanh(x + h Uᵀ)) / 2.\"\"\"
    (hidden,), outputs = state, []
    for x in (input_TBG if bias is None else input_TBG + bias).unbind(0):
        hidden = (hidden + torch.addmm(x, hidden, weight.t()).tanh()) / 2
        outputs.append(hidden)
    return torch.stack(outputs), (hidden,)


""",
                before="CELLS: dict",
            ),
            Edit("network/cells.py", '    "leaky": Cell(1, 1, _leaky),\n', before='    "mingru": Cell('),
            Edit("network/architecture.py", '"leaky", ', before='"mingru")'),
        ),
        (f"train corpus -o leaky-run --cell leaky {TINY}", "info leaky-run"),
    ),
    "filter": Extension(
        (
            Edit(
                "inference/filters.py",
                """def epsilon(least: float) -> Filter:
    \"\"\"The words of at least this probability, and the likeliest (Hewitt et al. 2022).\"\"\"

    def apply(logits_BV: Tensor) -> Tensor:
        log_probs_BV = torch.log_softmax(logits_BV, 1)
        is_rare_BV = (log_probs_BV < math.log(least)) & (logits_BV < logits_BV.amax(1, keepdim=True))
        return logits_BV.masked_fill_(is_rare_BV, -torch.inf)

    return apply


""",
                before="FILTERS: dict",
            ),
            Edit(
                "inference/filters.py",
                '    "epsilon": lambda settings: epsilon(settings.epsilon) if settings.epsilon else None,\n',
                before='    "min_p": lambda',
            ),
            Edit(
                "inference/settings.py",
                '    epsilon: float = setting(0.0, "Least probability; 0: none.", least=0, under=1)\n',
                before="    length: int = setting",
            ),
        ),
        (
            "sample --help",
            "sample run -n 3 --seed 1 --epsilon 0.9 --network-only --unk keep --format tokens",
            "sample run --epsilon 2",
            "sample run --beam 2 --epsilon 0.1",
        ),
    ),
    "source": Extension(
        (
            Edit(
                "text/sources.py",
                """def _read_environment(name: str) -> Iterator[Document]:
    yield Document(f"env:{name}", iter(os.environ.get(name, "").splitlines()))


""",
                before="SCHEMES: dict",
            ),
            Edit("text/sources.py", '"env": _read_environment, ', before='"nltk": _read_nltk'),
            Edit("text/sources.py", "import os\n", before="import re"),
        ),
        ("preprocess env:LANGMODEL_VERSE -o verse --sentences line --valid-fraction 0 --test-fraction 0",),
    ),
    "table": Extension(
        (
            Edit(
                "text/tables.py",
                """def _read_paragraphs(lines: Iterator[str], path: Path, place: Place) -> Iterator[Document]:
    for number, line in enumerate(lines, start=1):
        yield Document(f"{path} paragraph {number}", iter([line]))


""",
                before="TABLES: dict",
            ),
            Edit("text/tables.py", '    ".paragraphs": _read_paragraphs,\n', before='    ".csv": _read_csv'),
        ),
        ("preprocess text.paragraphs -o paragraphs --tokenizer whitespace", "info paragraphs"),
    ),
    "cleaner": Extension(
        (
            Edit(
                "text/cleaning.py",
                """def without_comments(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if not line.startswith("#"))


""",
                before="CLEANERS: dict",
            ),
            Edit("text/cleaning.py", '"comments": without_comments, ', before='"gutenberg": without'),
        ),
        (
            "preprocess commented.txt -o clean --clean comments --tokenizer whitespace --sentences line",
            "python:print(*__import__('langmodel').open_corpus('clean').vocabulary.words)",
        ),
    ),
    "optimizer": Extension(
        (
            Edit(
                "training/optimizers.py",
                """def _rmsprop(parameters: "ParamsT", weight_decay: float) -> "Optimizer":
    from torch.optim import RMSprop

    return RMSprop(parameters, lr=0.0, weight_decay=weight_decay)


""",
                before="@dataclass",
            ),
            Edit(
                "training/optimizers.py",
                '"rmsprop": OptimizerKind(_rmsprop, ("square_avg",)), ',
                before='"sgd": OptimizerKind',
            ),
        ),
        (
            f"train corpus -o rmsprop-run --optimizer rmsprop --learning-rate 0.01 {TINY}",
            "train corpus -o rmsprop-run --resume --epochs 2 --no-baselines",
            "info rmsprop-run",
        ),
    ),
    "schedule": Extension(
        (
            Edit(
                "training/schedules.py",
                """class Linear(Schedule):
    \"\"\"Straight down to nothing.\"\"\"

    def share(self, step: int) -> float:
        return max(0.0, 1 - step / self.total_steps)


""",
                before="SCHEDULES: dict",
            ),
            Edit("training/schedules.py", '    "linear": Linear,\n', before='    "halve": Halve'),
        ),
        ("train --help", f"train corpus -o linear-run --schedule linear {TINY}"),
    ),
    "average": Extension(
        (
            Edit(
                "training/averages.py",
                """class Whole(Average):
    \"\"\"The mean over all steps.\"\"\"

    def share(self, step: int) -> float:
        return 1 / (self.count + 1)


""",
                before="AVERAGES: dict",
            ),
            Edit("training/averages.py", '    "whole": Whole,\n', before='    "ema": Exponential'),
        ),
        (f"train corpus -o whole-run --average whole {TINY}", "info whole-run"),
    ),
    "preset": Extension(
        (
            Edit(
                "training/presets.py",
                """    "toy": Preset(
        "RNN of 4 units, for a first look",
        {"cell": "rnn", "embedding_size": 4, "hidden_size": (4,), "epochs": 1, "batch_size": 2},
    ),
""",
                before='    "classic": Preset(',
            ),
        ),
        ("train --help", "train corpus -o toy-run --preset toy --no-baselines", "info toy-run"),
    ),
    "n-best lists": Extension(
        (
            Edit(
                "nbest/speech_formats.py",
                """class Bare(NBestFormat):
    \"\"\"A list of texts; ln p is written before each.\"\"\"

    help = "texts in, ln p and text out"
    keeps_lm_apart = False

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        return (Hypothesis(name, line, (line,)) for line in lines)

    def write(self, rescored: Rescored) -> Iterator[str]:
        yield f"{shown_number(rescored.log_prob)}\\t{rescored.hypothesis.text}"


""",
                before="class Utterance(",
            ),
            Edit(
                "nbest/formats.py",
                "from langmodel.nbest.speech_formats import Bare\n",
                before="from langmodel.nbest.translation",
            ),
            Edit("nbest/formats.py", '    "bare": Bare(),\n', before='    "moses": Moses('),
        ),
        ("rescore run text.txt --format bare",),
    ),
    "stimuli": Extension(
        (
            Edit(
                "formats/stimulus_files.py",
                """def _read_sentences(lines: Iterable[str], file: str) -> Experiment:
    stimuli = [Stimulus(str(item), "only", (line,)) for item, line in enumerate(lines, start=1)]
    return _experiment(file, "sentences", stimuli)


""",
                before="FORMATS: dict",
            ),
            Edit(
                "formats/stimulus_files.py",
                '    "sentences": _read_sentences,\n',
                before='    "csv": _read_csv',
            ),
        ),
        ("stimuli run text.txt --format sentences",),
    ),
    "pooling": Extension(
        (
            Edit(
                "classification/encoder.py",
                """def _first(hidden_TBH: Tensor, lengths_B: Tensor) -> Tensor:
    return hidden_TBH[0]


""",
                before="POOLINGS: dict",
            ),
            Edit("classification/encoder.py", '"first": _first, ', before='"last": _last'),
            Edit("classification/architecture.py", '"first", ', before='"max")'),
        ),
        (
            "train-classifier labelled.csv -o labels --pooling first,mean --epochs 1 --hidden-size 4 "
            "--embedding-size 4 --no-compare",
            "classify labels text.txt",
        ),
    ),
    "adaptation": Extension(
        (
            Edit(
                "inference/adaptation/nothing.py",
                """\"\"\"No adaptation.\"\"\"

from langmodel.inference.adaptation.fitting import Adaptation
from langmodel.inference.adaptation.temperature import Temperature
from langmodel.network.mixture import NgramPart
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import IdArray


def fit(network: RecurrentLM, part: NgramPart | None, train_ids: IdArray, valid_ids: IdArray) -> Adaptation:
    return Temperature(network, part, 1.0)
""",
            ),
            Edit(
                "inference/adaptation/__init__.py",
                "from langmodel.inference.adaptation import nothing\n",
                before="from langmodel.inference.adaptation.cache",
            ),
            Edit(
                "inference/adaptation/__init__.py",
                '    "nothing": nothing.fit,\n',
                before='    "cache": fit_cache',
            ),
        ),
        ("evaluate run corpus --split valid --context document --adapt nothing --json",),
    ),
    "model file": Extension(
        (
            Edit("storage/container.py", "FORMAT = 8", instead_of="FORMAT = 7"),
            Edit(
                "storage/model_file.py",
                '        "machine": platform.machine(),\n',
                before='        "direction": model.direction,\n',
            ),
            Edit(
                "storage/model_file.py",
                '        machine = document["machine"] if document["format"] > 7 else ""\n',
                before='        direction = document["direction"] if',
            ),
            Edit(
                "storage/model_file.py",
                "    if not isinstance(machine, str):\n"
                '        raise ModelFileError(f"{path}: machine is malformed")\n',
                before="    parts = () if order is None",
            ),
            Edit("storage/model_file.py", "import platform\n", before="from dataclasses"),
        ),
        ("info run", f"train corpus -o newer-run {TINY}", "info newer-run"),
    ),
    "API call": Extension(
        (
            Edit(
                "web/requests.py",
                '    "knows": {"model": MODEL, "word": Field(str, "a word", "", 1_000)},\n',
                before='    "sample": {\n',
            ),
            Edit(
                "web/answers.py",
                """def knows(lm: LanguageModel, request: Row, check: Check) -> Iterator[Row]:
    yield {"known": not lm.unknown_words([request["word"]])}


""",
                before="CALLS = {",
            ),
            Edit("web/answers.py", '"knows": knows, ', before='"score": score'),
        ),
        (
            "python:import langmodel; from langmodel.web import answers, requests; "
            "print(*answers.CALLS['knows'](langmodel.load('run'), requests.read_request('knows', "
            'b\'{"word": "cat"}\'), print))',
        ),
    ),
    "verb": Extension(
        (
            Edit(
                "cli/longest.py",
                """\"\"\"`langmodel longest`: the longest words of a corpus.\"\"\"

from pathlib import Path

import click

from langmodel.text.corpus import open_corpus


@click.command("longest")
@click.argument("corpus", type=click.Path(path_type=Path))
def command(corpus: Path) -> None:
    \"\"\"The ten longest words of CORPUS, longest first.\"\"\"
    for word in sorted(open_corpus(corpus).vocabulary.words, key=len, reverse=True)[:10]:
        print(word)
""",
            ),
            Edit(
                "cli/main.py",
                '    "longest": "the longest words of a corpus",\n',
                before='    "info": "what a',
            ),
        ),
        ("--help", "longest corpus"),
    ),
    "score format": Extension(
        (
            Edit(
                "formats/score_tables.py",
                """def _bare(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    return (six(style.log(score.log_prob)) for score in scores)


""",
                before="FORMATS: dict",
            ),
            Edit(
                "formats/score_tables.py",
                '    "bare": Format(_bare, "a number per line"),\n',
                before='    "jsonl": Format',
            ),
        ),
        ("score run text.txt --format bare",),
    ),
}
