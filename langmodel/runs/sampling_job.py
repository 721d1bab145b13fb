"""All that one `sample` command draws: demands that exclude each other, and every prefix's sentences."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from langmodel.errors import ConfigError
from langmodel.inference.drawing import SamplingRequest
from langmodel.inference.filters import FILTERS
from langmodel.inference.language_model import LanguageModel
from langmodel.inference.results import SampledSentence
from langmodel.inference.settings import MAX_SEED, SamplingSettings
from langmodel.ngrams.copied_runs import CopiedRuns
from langmodel.runs.run_corpus import corpus_of_run, open_matching_corpus

DEFAULT_COUNT, DEFAULT_PASSAGES = 10, 1

MAX_OVERLAP = 20
"""The longest run of copied words that can be limited; novelty counts to one more."""


@dataclass(frozen=True, kw_only=True)
class SamplingJob:
    """Sentences of a model after each of several prefixes, drawn or found by beam search."""

    settings: SamplingSettings
    given: Collection[str]
    """Names of the settings that were not left at their defaults."""
    prefixes: Sequence[str] = ("",)
    count: int | None = None
    """For each prefix; None: DEFAULT_COUNT sentences, or DEFAULT_PASSAGES passages."""
    include: Sequence[str] = ()
    ban: Sequence[str] = ()
    most_copied: int | None = None
    novelty: bool = False
    """Each sentence carries its longest run of words copied from the training text."""
    beam: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        """Raises ConfigError for demands that exclude each other."""
        settings, beam = self.settings, self.beam
        draws = bool(
            FILTERS.keys() & set(self.given)
            or self.include
            or self.most_copied
            or self.novelty
            or settings.unk in ("resample-sentence", "copy-rare")
            or self.seed is not None
        )
        rules = (
            (beam and draws, "--beam draws nothing: it works only with prefixes, --ban and lengths"),
            (
                beam and self.count is not None,
                f"--beam {beam} is also the number of sentences; leave out -n",
            ),
            (beam and settings.sentences > 1, "--beam finds single sentences; leave out --sentences"),
            (
                settings.length and {"min_length", "max_length"} & set(self.given),
                "--length is exact; leave out --min-length and --max-length",
            ),
        )
        for broken, message in rules:
            if broken:
                raise ConfigError(message)
        if contradictory := sorted(set(self.include) & set(self.ban)):
            raise ConfigError(f"{contradictory[0]!r} is both included and banned; choose one")

    @property
    def per_prefix(self) -> int:
        """How many sentences there will be of each prefix, at most."""
        if self.beam:
            return self.beam
        if self.count is not None:
            return self.count
        return DEFAULT_COUNT if self.settings.sentences == 1 else DEFAULT_PASSAGES

    def start(self, lm: LanguageModel, model: Path, corpus: Path | None) -> "RunningJob":
        """`corpus` or else that of the run is opened where the job compares with its text."""
        copies, rare_words = None, None
        counts_copies = self.most_copied is not None or self.novelty
        if counts_copies or self.settings.unk == "copy-rare":
            text = open_matching_corpus(lm, corpus_of_run(model) if corpus is None else corpus)
            if counts_copies:
                longest = MAX_OVERLAP if self.most_copied is None or self.novelty else self.most_copied
                copies = CopiedRuns(text.split("train"), len(lm.vocabulary), longest + 1)
            if self.settings.unk == "copy-rare":
                rare_words = text.rare_words()
        requests = [
            SamplingRequest(
                prefix=prefix,
                settings=self.settings,
                ban=self.ban,
                include=self.include,
                copies=copies,
                most_copied=self.most_copied,
                rare_words=rare_words,
            )
            for prefix in self.prefixes
        ]
        return RunningJob(self, lm, requests)


@dataclass
class RunningJob:
    """A job at work, and what became of what it drew."""

    job: SamplingJob
    lm: LanguageModel
    requests: Sequence[SamplingRequest]
    kept: int = field(default=0, init=False)
    drawn: int = field(default=0, init=False)
    """Sentences drawn, those that were drawn again included."""
    filled: int = field(default=0, init=False)
    """Words that are not the model's but rare ones of the text."""

    def sentences(self) -> Iterator[SampledSentence]:
        """In the order of the prefixes, as they come. A prefix's seed is the job's plus its number."""
        job = self.job
        for number, request in enumerate(self.requests):
            if job.beam:
                yield from self.lm.likeliest(
                    job.beam, prefix=request.prefix, settings=job.settings, ban=job.ban
                )
                continue
            assert job.seed is not None, "a job that draws has a seed"
            before, seed = self.drawn, (job.seed + number) % (MAX_SEED + 1)
            for sentence, drawn in self.lm.draw(job.per_prefix, request, seed=seed):
                self.kept, self.drawn = self.kept + 1, before + drawn
                self.filled += len(sentence.filled)
                yield sentence
