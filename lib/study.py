"""A study: what is asked of which corpus, which networks are trained for it, and the run table that all else reads."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from lib import data
from lib.data import clusters, corpora
from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.files import WORKSPACE
from lib.metrics import scores
from lib.metrics.left_out import left_out
from lib.params import CorpusOptions, Parameters
from lib.run_table import run_table
from lib.training.recipe import Member
from lib.training.records import FINISHED, Record, engines
from lib.training.sweep import recorded, sweep_grids
from lib.training.trained import Trained, feature_spread, load

Done = tuple["Task", Member, Record]
"""One run: what it answers, what was trained, what came out."""
Answer = TypeVar("Answer")


def variant_name(task: str, kind: str) -> str:
    """Name of a variant in the run table; `task` is empty where a study has one."""
    return f"{task}: {kind}" if task else kind


def corpus_with(p: Parameters, modalities: Sequence[str], **options: object) -> Corpus:
    """The corpus of a run. Raises InputError for unusable data and for modalities that it lacks."""
    options |= {"samples": p.samples} if p.samples else {}
    corpus = data.load(p.dataset, p.data_root or None, nonfinite=p.nonfinite, **options)
    if missing := [m for m in modalities if m not in corpus.modalities]:
        there = ", ".join(corpus.modalities)
        raise InputError(f"no modality {', '.join(missing)}", where=corpus.source.name, todo=f"there are: {there}")
    return corpus


def in_turns(
    dataset: str,
    options: CorpusOptions,
    seeds: Sequence[int],
    ask: Callable[[CorpusOptions], Answer],
    *,
    fixed: CorpusOptions | None = None,
) -> dict[int, Answer]:
    """What `ask` makes of a corpus with `options`, for each seed: one for all, or with `fold: by_seed` one per fold.

    Seed `s` then gets fold `s` modulo the number of folds, so that as many seeds as folds test every sample once, and
    the differences between seeds hold those between the groups that are tested. `fixed` are options that parameters of
    the run set. Raises InputError for a corpus that has no folds, and for an option that the run sets.
    """
    fixed = fixed or {}
    if twice := [name for name in options if name in ("nonfinite", "samples", *fixed)]:
        raise InputError(f"option {twice[0]!r} is set by the run", where="corpus_options", todo="leave it out")
    options = options | fixed
    if options.get("fold") != "by_seed":
        return dict.fromkeys(seeds, ask(options))
    folds = corpora.get(dataset).folds
    if not folds:
        raise InputError("fold by_seed", where=dataset, todo="it has no folds: leave the option out")
    asked = {fold: ask(options | {"fold": fold}) for fold in dict.fromkeys(seed % folds for seed in seeds)}
    return {seed: asked[seed % folds] for seed in seeds}


def once(found: Iterable[Answer]) -> list[Answer]:
    """Each object once, in the order in which they first appear; two that are equal are still two."""
    return list({id(each): each for each in found}.values())


@dataclass(frozen=True)
class Classes:
    """How labels and raw outputs become the classes of a confusion matrix, both numbered from `first`."""

    names: tuple[str, ...]
    of_labels: Callable[[np.ndarray], np.ndarray]
    of_outputs: Callable[[np.ndarray], np.ndarray]
    first: int = 0

    @classmethod
    def exclusive(cls, names: Sequence[str]) -> "Classes":
        """The largest of the logits `(N, C)`."""
        return cls(tuple(names), lambda labels: labels, scores.predicted_classes)

    @classmethod
    def rounded(cls, limits: tuple[float, float]) -> "Classes":
        """A score `(N, 1)`, rounded and clipped to its scale: one class per whole number."""
        low, high = (round(limit) for limit in limits)
        names = tuple(f"{value:+d}" if low < 0 and value else str(value) for value in range(low, high + 1))

        def of(values: np.ndarray) -> np.ndarray:
            return np.round(np.clip(values, *limits)).astype(np.int64)

        return cls(names, of, lambda outputs: of(outputs[:, 0]), low)


@dataclass(frozen=True)
class Task:
    """A corpus, how raw outputs for one of its splits are scored, and the metrics of comparisons, headline first.

    `name` is empty where a study has one task; else it stands in front of the variants. Tasks of one name are one
    question, put to a corpus that is split anew for some seeds. Where the scores of one split depend on the outputs of
    another, as decision thresholds do, `score` is None and `run_scores` takes those of a whole run.

    `answers` gives what a run says of the test split beside what is true, from its raw outputs by split: of these the
    scores without single units are computed, for intervals over other units. Without it there are none.
    """

    corpus: Corpus
    score: Callable[[str, np.ndarray], dict[str, float]] | None
    metrics: tuple[str, ...]
    classes: Classes | None = None
    name: str = ""
    run_scores: Callable[[Mapping[str, np.ndarray]], dict[str, dict[str, float]]] | None = None
    answers: Callable[[Mapping[str, np.ndarray]], scores.Answers] | None = None

    def scores(self, outputs: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
        """Every metric by split, from a run's raw outputs; empty for a run that has none."""
        if self.run_scores is None:
            return {split: self.score(split, out) for split, out in outputs.items()}
        return self.run_scores(outputs) if outputs else {}

    def variant(self, kind: str) -> str:
        """Name of a variant in the run table."""
        return variant_name(self.name, kind)

    @property
    def label(self) -> str:
        """The corpus, without the task where it names one."""
        source = self.corpus.source
        return replace(source, name=source.name.removesuffix(f", {self.name}")).label


@dataclass(frozen=True)
class WithoutUnits:
    """A run's test scores without each unit `(units,)`; `unit` says what one is called, `names` which they are.

    `pilot`: its seed is one of those by whose spread the others were planned.
    """

    unit: str
    names: tuple[str, ...]
    scores: np.ndarray
    pilot: bool = False


@dataclass(frozen=True)
class Study:
    """`grid` gives a task's members in the order of the tables; `later` those that depend on the records of the grid.

    `about` gives further columns of the run table. `cost` is roughly what a training takes: the dearest start first, so
    that no core waits for a long one at the end. All are functions in fields: to ask a variation of a study, swap one
    with `dataclasses.replace`.

    With `seeds: auto` `plan` says how many seeds the runs so far ask for, by the comparisons `pairs` of a task, each a
    variant and its baseline, and by those of `composed`, rows of gain tables whose sides are made of several variants.
    `grid` and `later` then list all seeds up to the cap; those of `p.seeds` are trained. Where a seed has a corpus of
    its own, `tasks_of` reads those of further seeds when they are asked for.
    """

    p: Parameters
    tasks: tuple[Task, ...]
    grid: Callable[[Task], Sequence[Member]]
    later: Callable[[Task, Sequence[Record]], Sequence[Member]] = lambda task, records: ()
    about: Callable[[Record], Mapping[str, object]] = lambda record: record.tags
    cost: Callable[[Member], float] = lambda member: 0.0
    pairs: Callable[[Task], Sequence[tuple[str, str]]] = lambda task: ()
    composed: Callable[["Runs"], pd.DataFrame] = lambda runs: pd.DataFrame()
    plan: Callable[["Runs"], int] | None = None
    tasks_of: Callable[[Parameters], Sequence[Task]] | None = None

    @property
    def questions(self) -> tuple[Task, ...]:
        """The tasks; of those of one name the first."""
        first: dict[str, Task] = {}
        for task in self.tasks:
            first.setdefault(task.name, task)
        return tuple(first.values())

    @property
    def folder(self) -> Path:
        """The result folder, relative to the workspace unless absolute, whatever the working directory."""
        return WORKSPACE / self.p.results

    @cached_property
    def members(self) -> list[tuple[Task, Member]]:
        """What does not depend on results: this can be cut into chunks. Of `seeds: auto` at first the pilot."""
        return self._so_far((task, member) for task in self.tasks for member in self.grid(task))

    def _so_far(self, listed: Iterable[tuple[Task, Member]]) -> list[tuple[Task, Member]]:
        """Without those of seeds that no plan has asked for yet; a search has a seed of its own."""
        waiting = set(self.p.possible_seeds) - set(self.p.seeds) if self.plan is not None else ()
        return [run for run in listed if run[1].seed not in waiting]

    @property
    def grids(self) -> list[tuple[Corpus, list[Member]]]:
        """`members` by corpus."""
        return _by_corpus(self.members)

    @property
    def label(self) -> str:
        """The corpora of the whole run."""
        return " and ".join(dict.fromkeys(task.label for task in self.tasks))

    @property
    def folds(self) -> int:
        """In how many folds a question is put to a corpus (`in_turns`); 1 where all seeds have the same test set."""
        return max(Counter(task.name for task in self.tasks).values())

    @property
    def repeats(self) -> str:
        """What spreads and intervals are over, in words."""
        return "the seeds" if self.folds == 1 else f"the seeds, each of which tests one of {self.folds} folds"

    def train(self) -> "Runs":
        """Train what is missing of the grid, then what follows from it; the records lie under `members/`.

        With `seeds: auto` first for the pilot's seeds, then for as many as `plan` asks for; the study of the runs that
        are returned has these in its `p`.
        """
        runs = self._train()
        while self.plan is not None and (wanted := self.plan(runs)) > len(runs.study.p.seeds):
            runs = self._with_seeds(wanted)._train()
        return runs

    def _with_seeds(self, number: int) -> "Study":
        p = self.p.model_copy(update={"seeds": self.p.possible_seeds[:number]})
        return replace(self, p=p, tasks=self.tasks if self.tasks_of is None else tuple(self.tasks_of(p)))

    def _train(self) -> "Runs":
        done = self._trained(self.members)
        later = [(task, m) for task in self.tasks for m in self.later(task, [r for its, _, r in done if its is task])]
        return Runs(self, done + self._trained(self._so_far(later)))

    def _trained(self, members: Sequence[tuple[Task, Member]]) -> list[Done]:
        if not members:
            return []
        records = sweep_grids(self._dearest_first(members), self.folder, cores=self.p.cores)
        found = {(record.variant, record.seed): record for record in records}
        return [(task, member, found[member.variant, member.seed]) for task, member in members]

    def recorded(self) -> "Runs":
        """What has been trained so far; nothing is trained. What follows from the grid counts once that is whole."""
        listed = [(task, member) for task in self.tasks for member in self.grid(task)]
        done = self._recorded(listed)
        whole = len(done) == len(listed)
        later = [
            (task, member)
            for task in self.tasks
            if whole
            for member in self.later(task, [record for its, _, record in done if its is task])
        ]
        return Runs(self, done + self._recorded(later))

    def _recorded(self, members: Sequence[tuple[Task, Member]]) -> list[Done]:
        found = {}
        for corpus, its in self._dearest_first(members):
            records = zip(its, recorded(its, corpus, self.folder / "members"), strict=True)
            found |= {(member.variant, member.seed): record for member, record in records if record}
        named = [(task, member, found.get((member.variant, member.seed))) for task, member in members]
        return [(task, member, record) for task, member, record in named if record]

    def _dearest_first(self, members: Sequence[tuple[Task, Member]]) -> list[tuple[Corpus, list[Member]]]:
        return [(corpus, sorted(its, key=self.cost, reverse=True)) for corpus, its in _by_corpus(members)]


def _by_corpus(members: Iterable[tuple[Task, Member]]) -> list[tuple[Corpus, list[Member]]]:
    """In the order in which the corpora first appear."""
    found: dict[int, tuple[Corpus, list[Member]]] = {}
    for task, member in members:
        found.setdefault(id(task.corpus), (task.corpus, []))[1].append(member)
    return list(found.values())


@dataclass(frozen=True)
class Runs:
    """What a study has trained, in the order of its grid.

    `means` names variants of tables whose scores are, seed by seed, the mean over those of several variants, such as
    that over all traits or emotions: `without_units` has them too.
    """

    study: Study
    done: Sequence[Done]
    means: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def records(self) -> list[Record]:
        return [record for _, _, record in self.done]

    @property
    def engines(self) -> str:
        """How the runs were computed."""
        return engines(self.records)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The long run table: every metric of validation and test per run, the tags as columns."""
        return run_table(
            {
                "variant": record.variant,
                "seed": record.seed,
                "metrics": task.scores(record.outputs),
                "selected_on": f"epoch: {record.selected_on['epoch']}",
                "best_epoch": record.best_epoch,
                "status": record.status,
                "reason": record.reason,
                **self.study.about(record),
                "seconds": record.seconds,
            }
            for task, _, record in self.done
        )

    def beside(self, kind: str, of: Callable[[Task], np.ndarray], tasks: Iterable[Task] | None = None) -> "Runs":
        """With a prediction that is the same for every seed, such as a constant or a linear model, as one more variant.

        `of` gives its raw test outputs for a task, of all tasks or those named.
        """
        more = []
        for task in self.study.tasks if tasks is None else tasks:
            fixed = {"variant": task.variant(kind), "outputs": {"test": of(task)}, "status": FINISHED, "reason": ""}
            of_seeds = {run[2].seed: run for run in self.done if run[0] is task}
            more += [(task, member, replace(record, **fixed)) for _, member, record in of_seeds.values()]
        return replace(self, done=[*self.done, *more])

    def of(self, task: Task) -> list[Record]:
        """The records of one task, and of those of its name."""
        return [record for its, _, record in self.done if its.name == task.name]

    def first(self, seeds: int) -> "Runs":
        """Those of so many of the study's seeds."""
        chosen = self.study.p.seeds[:seeds]
        return replace(self, done=[run for run in self.done if run[2].seed in chosen])

    def scored(self, variants: Sequence[str], task: Task | None = None) -> list[Done]:
        """Those of these variants (of one task) that have finished with finite outputs."""
        of_task = [run for run in self.done if task is None or run[0] is task]
        return [run for run in of_task if run[2].variant in variants and run[2].scored]

    def confusion(self, task: Task, variants: Sequence[str] | Mapping[str, str]) -> list[tuple[str, np.ndarray]]:
        """(title, counts of the test set, summed over the seeds); the title says if seeds are missing.

        Of `task` and those of its name, each run with the test set of its own task. A title is the variant's name, or
        what stands for it in a mapping of titles to variants.
        """
        kinds = range(task.classes.first, task.classes.first + len(task.classes.names))
        panels = []
        titles = variants if isinstance(variants, Mapping) else dict(zip(variants, variants, strict=True))
        for title, variant in titles.items():
            asked = [run for run in self.done if run[0].name == task.name and run[2].variant == variant]
            runs = [run for run in asked if run[2].scored]
            counts = np.zeros((len(kinds), len(kinds)), dtype=np.int64)
            for its, _, record in runs:
                true = its.classes.of_labels(its.corpus.splits["test"].labels)
                counts += scores.confusion(true, its.classes.of_outputs(record.outputs["test"]), kinds)
            lacking = "" if len(runs) == len(asked) else f" ({len(runs)} of {len(asked)} seeds)"
            panels.append((f"{title}{lacking}", counts))
        return panels

    @cached_property
    def _without_units(self) -> dict[str, dict[tuple[str, int], WithoutUnits]]:
        return {}

    def without_units(self, metric: str) -> Mapping[tuple[str, int], WithoutUnits]:
        """By variant and seed the test score without each unit of the test split, of scored runs whose task can say.

        A mean is there for the seeds in which all its variants have the same units. Raises InputError for a metric
        that such a task does not have.
        """
        if metric not in self._without_units:
            found = self._without_units[metric] = {}
            pilot = self.study.p.seeds[: self.study.p.pilot] if self.study.plan is not None else ()
            for task in (task for task in self.study.tasks if task.answers):
                unit, of_samples = clusters.units(task.corpus.source, task.corpus.splits["test"])
                names, groups = np.unique(np.array(of_samples), return_inverse=True)
                labels = task.corpus.label_names
                for record in (record for its, _, record in self.done if its is task and record.scored):
                    values = left_out(metric, task.answers(record.outputs), groups, labels)
                    found[record.variant, record.seed] = WithoutUnits(
                        unit, tuple(names.tolist()), values, pilot=record.seed in pilot
                    )
            found |= self._means_of(found)
        return self._without_units[metric]

    def _means_of(self, found: Mapping[tuple[str, int], WithoutUnits]) -> dict[tuple[str, int], WithoutUnits]:
        means = {}
        for name, variants in self.means.items():
            for seed in dict.fromkeys(seed for _, seed in found):
                parts = [found.get((variant, seed)) for variant in variants]
                if all(parts) and len({part.names for part in parts}) == 1:
                    means[name, seed] = replace(parts[0], scores=np.mean([part.scores for part in parts], axis=0))
        return means

    def trained(
        self, variants: Sequence[str], *, encoders: Mapping[str, str] | None = None, quiet: Sequence[str] = ()
    ) -> list[Trained]:
        """The scored runs of these variants, to be asked with modalities missing or noisy, by the headline metric.

        `encoders` are those of `Trained`; the modalities in `quiet` take no noise.
        """
        found = []
        for task in self.study.tasks:
            runs = self.scored(variants, task)
            if not runs:
                continue
            parts = {name: task.corpus.batches(name, dtype=runs[0][1].recipe.dtype) for name in ("train", "test")}
            spread = {m: x for m, x in feature_spread(parts["train"]).items() if m not in quiet}

            def score(outputs: np.ndarray, task: Task = task) -> float:
                return task.score("test", outputs)[task.metrics[0]]

            folder = self.study.folder / "members"
            found += [
                load(folder, member, record, parts["test"], score, spread=spread, encoders=encoders)
                for _, member, record in runs
            ]
        return found
