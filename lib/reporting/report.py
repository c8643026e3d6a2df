"""What a notebook shows: every table and figure is written, displayed, and labelled with its corpus here."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from lib import run_table
from lib.data.corpus import Source
from lib.reporting import (
    drawing,
    figures,
    gains,
    lost_runs,
    modality_section,
    published,
    seed_plan,
    tables,
    undefined_scores,
)
from lib.reporting.gain_figures import forest, power_map, sheets
from lib.reporting.manifest import write_manifest
from lib.reporting.modality_share import SHARE_RULE
from lib.reporting.verdicts import RULE
from lib.study import Runs, Study, Task
from lib.training.records import Record
from lib.training.trained import Trained

SCORE = ("variant", "n", "score", "t_interval")


class Report:
    """Writes below the study's result folder and shows what it writes; `finish` leaves the manifest.

    `label` is that of the corpora, where the study's own does not name them all.
    """

    def __init__(self, study: Study, label: str | None = None):
        self.study, self.folder, self.label = study, study.folder, label or study.label
        self._started = time.perf_counter()
        self._share_rule_told = self._rule_of_verdicts_told = False
        self._meanwhile = drawing.Meanwhile(study.p.cores)

    def table(
        self,
        table: pd.DataFrame,
        name: str,
        caption: str,
        *,
        columns: Sequence[str] | None = None,
        glance: Sequence[str] | None = None,
        shown: bool = True,
        digits: int = 4,
        label: str | None = None,
        task: Task | None = None,
    ) -> None:
        """Write a table, and show it with the columns `glance`, or those written. Without a name: only show it.

        One of a `task` is named and labelled as such.
        """
        if task is not None:
            (name, caption), label = self.named(name, task, caption), label or task.label
        options = {"caption": caption, "label": label or self.label, "digits": digits}
        if name:
            tables.save(table, self.folder / "tables" / name, shown=columns, **options)
        if shown:
            display(Markdown(tables.markdown(table, shown=glance or columns, **options)))

    def per_task(
        self, of: Callable[[Task], pd.DataFrame], name: str, caption: str, **options: Any
    ) -> dict[str, pd.DataFrame]:
        """A table of each task, by its name; an empty one is not shown. Options as `table`."""
        found = {task.name: of(task) for task in self.study.questions}
        for task in self.study.questions:
            if len(found[task.name]):
                self.table(found[task.name], name, caption, task=task, **options)
        return found

    def per_metric(
        self, of: Callable[[Task, str], pd.DataFrame], name: str, caption: str, **options: Any
    ) -> dict[tuple[str, str], pd.DataFrame]:
        """A table of each task and metric, by both; in name and caption `{}` is the metric. Otherwise as `per_task`."""
        found = {(task.name, metric): of(task, metric) for task in self.study.questions for metric in task.metrics}
        for task in self.study.questions:
            for metric in task.metrics:
                if len(table := found[task.name, metric]):
                    self.table(table, name.format(metric), caption.format(metric), task=task, **options)
        return found

    def figure(self, figure: Figure, name: str) -> None:
        """Write a figure as svg and png, and show it."""
        display(drawing.save(figure, self.folder / "figures" / name, self._meanwhile))

    def text(self, *paragraphs: str) -> None:
        """Show Markdown."""
        for paragraph in paragraphs:
            display(Markdown(paragraph))

    def say(self, sentences: Iterable[str]) -> None:
        """Show sentences as a list."""
        self.text(*(f"- {sentence}" for sentence in sentences))

    def warnings(self) -> None:
        """What must stand beside any result."""
        found = dict.fromkeys(w for task in self.study.tasks for w in task.corpus.source.warnings)
        self.text(*(f"**Note.** {warning}" for warning in found))

    def corpus(self, rows: pd.DataFrame, name: str = "") -> None:
        """What was read, and what must stand beside any result of it."""
        self.table(rows, name, "Samples per split and label")
        self.warnings()

    def named(self, name: str, task: Task, caption: str = "") -> tuple[str, str]:
        """File name and caption of what is shown per task, the task in it where the run has several."""
        told = f"{task.name}: {caption}" if task.name else caption[:1].upper() + caption[1:]
        return f"{name}_{task.name.lower()}".rstrip("_") if name else "", told

    def constants(self, of: Callable[[Task], Mapping[str, object]], caption: str) -> pd.DataFrame:
        """What a constant prediction scores, per task; the mean over those of one name. Returns it by name."""
        rows = pd.DataFrame([{"task": task.name, **of(task)} for task in self.study.tasks])
        words = [name for name in rows if not pd.api.types.is_numeric_dtype(rows[name])]
        means = rows.groupby(words, sort=False, dropna=False).mean().reset_index()[list(rows)]
        self.table(_by_task(means.to_dict("records")), "floor", caption)
        return means.set_index("task")

    def ceilings(self) -> None:
        """Best reachable scores of a stand-in; of real data nobody knows them."""
        found = _by_task(
            {"task": task.name, "from": subset, **best}
            for task in self.study.tasks
            for subset, best in task.corpus.source.ceilings.items()
        )
        if len(found):
            self.table(found, "ceilings", "Best reachable scores, computed")

    def runs(self, runs: Runs, table: pd.DataFrame | None = None, compared: Sequence[Record] | None = None) -> None:
        """Keep the run table, by default that of `runs`; say what has no score, and which scores are undefined. With
        `seeds: auto` also how many seeds were run, and why.

        Raises Diverged or RuntimeError if none of the runs that the question rests on, `compared`, has a score.
        """
        table = runs.table if table is None else table
        run_table.save(table, self.folder)
        for shown in lost_runs.write(runs.records, self.folder, label=self.label, compared=compared):
            self.text(shown)
        self.text(*undefined_scores.write(table, self.folder, label=self.label))
        if runs.study.plan is not None:
            caption = "Seeds: how many each comparison needs, by the spread of its differences over the pilot's"
            self.table(seed_plan.table(runs), "seeds", caption)

    def scores(self, table: pd.DataFrame, metrics: Sequence[str], caption: str) -> None:
        """Mean and interval over the seeds per variant; `{}` in the caption is the metric."""
        for metric in metrics:
            self.table(gains.summary(table, metric), f"scores_{metric}", caption.format(metric), glance=SCORE)

    def confusion(
        self,
        runs: Runs,
        task: Task,
        variants: Sequence[str] | Mapping[str, str],
        *,
        kept: bool = True,
        title: str = "",
    ) -> None:
        """Counts of the test set over the seeds, side by side (`Runs.confusion`); `kept`: also as a table."""
        names, over = task.classes.names, self.study.repeats
        name, title = self.named("confusion", task, title or f"test set, counts summed over {over}")
        panels = runs.confusion(task, variants)
        self.figure(figures.confusion_matrices(panels, names, label=task.label, title=title), name)
        if kept:
            caption = f"Confusion counts on the test set, summed over {over}"
            self.table(counts_table(panels, names), name, caption, shown=False, label=task.label)

    def modalities(self, runs: Sequence[Trained], metric: str, *, task: Task | None = None, **options: object) -> None:
        """What each modality brings, and what noise or its loss costs, of all tasks or one.

        Options as `modality_section.write`.
        """
        of = {"label": self.label} if task is None else {"label": task.label, "suffix": self.named("_", task)[0][1:]}
        of |= {"workers": self.study.p.cores, "meanwhile": self._meanwhile}
        shown = modality_section.write(runs, metric, self.folder, **of, **options)
        if shown and not self._share_rule_told:
            self._share_rule_told = True
            self.text(SHARE_RULE)
        for found in shown:
            display(Markdown(found) if isinstance(found, str) else found)

    def published(
        self,
        paper: pd.DataFrame,
        ours: pd.DataFrame,
        groups: Mapping[str, Sequence[str] | None],
        metrics: Sequence[str],
        **comparable: object,
    ) -> None:
        """The paper's numbers beside ours, per metric. `groups` are variants by the baseline they are set against."""
        source = self.study.tasks[0].corpus.source
        for metric in metrics:
            found = published.compare_groups(paper, ours, groups, metric=metric, source=source, **comparable)
            if len(found):
                caption = f"Published and reproduced, test {metric}"
                self.table(found, f"published_{metric}", caption, columns=list(published.SHOWN))
        print(published.VERDICT_RULE)

    def worth(
        self, tables: Iterable[pd.DataFrame], *, task: Task | None = None, part: str = "", drawn: str = ""
    ) -> None:
        """What the gains of these tables are worth over seeds and test units: all in one table, forest plots, and the
        chance to see more with more seeds. A pair that stands in two tables counts once; empty tables count nothing.

        Of all tasks or one, whose name files and caption then bear; `part` names one of several such tables. `drawn` is
        the one metric that figures show, where all are too many.
        """
        tables = [table for table in tables if len(table)]
        if not tables:
            self.text("No gain: this run has nothing to set against anything.")
            return
        found, label = gains.together(tables), self.label if task is None else task.label
        names = {n: f"{n}_{part}".rstrip("_") for n in ("gain_worth", "forest", "power")}
        caption = "Each gain over other seeds, other test units, and both" + f" ({part})" * bool(part)
        if task is not None:
            names = {n: self.named(name, task)[0] for n, name in names.items()}
            caption = self.named("", task, caption[:1].lower() + caption[1:])[1]
        self.table(found, names["gain_worth"], caption, columns=gains.DECIDED, label=label)
        self.text(" ".join([gains.by_chance(found), *gains.seen(found)]))
        if not self._rule_of_verdicts_told:
            self._rule_of_verdicts_told = True
            self.text(RULE)
        shown = found[found["metric"] == drawn] if drawn else found
        for end, rows in sheets(shown).items():
            self.figure(forest(rows, label=label), f"{names['forest']}{end}")
        if shown["combined_error"].notna().any():
            self.figure(power_map(shown, label=label), names["power"])

    def provenance(self) -> None:
        """The last sentence of what the tables say."""
        end = ": these are stand-in data, so this shows the mechanism, not the corpus" if self.synthetic else ""
        self.say([f"All on {self.label}{end}."])

    @property
    def synthetic(self) -> bool:
        """Whether any of what was read is a stand-in."""
        return any(task.corpus.source.synthetic for task in self.study.tasks)

    def finish(
        self, runs: Runs, selected_on: Mapping[str, str] | None = None, seeds: Sequence[int] | None = None
    ) -> None:
        """`manifest.json`: what ran, on what, and what chose its numbers; afterwards all files are there."""
        self._meanwhile.wait()
        write_manifest(
            self.folder,
            params=self.study.p.model_dump(mode="json", exclude={"results", "data_root", "cores"}),
            sources=_once(task.corpus.source for task in runs.study.tasks),
            seeds=runs.study.p.seeds if seeds is None else seeds,
            engine=runs.engines,
            device="cuda" if "cuda" in runs.engines else "cpu",
            selected_on=selected_on or runs.records[0].selected_on,
            modalities=[m for m in ("text", "audio", "video") if any(m in each.train_on for _, each, _ in runs.done)],
            durations={
                "notebook": time.perf_counter() - self._started,
                "training, all runs": sum(record.seconds for record in runs.records),
            },
        )


def _once(sources: Iterable[Source]) -> Iterable[Source]:
    """Each corpus once, with all the ways in which it was split: the folds of one are one list of files."""
    found: dict[tuple[object, ...], dict[str, Source]] = {}
    for source in sources:
        same = (source.name, source.synthetic, tuple(source.files.items()), source.warnings)
        found.setdefault(same, {}).setdefault(source.split_rule, source)
    return [replace(next(iter(ways.values())), split_rule="; ".join(ways)) for ways in found.values()]


def counts_table(panels: Sequence[tuple[str, np.ndarray]], names: Sequence[str]) -> pd.DataFrame:
    """Confusion counts in long form: one row per matrix and true class, one column per predicted class."""
    return pd.DataFrame(
        {"matrix": title, "true class": name}
        | {f"predicted {other}": int(count) for other, count in zip(names, row, strict=True)}
        for title, counts in panels
        for name, row in zip(names, counts, strict=True)
    )


def _by_task(rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """A table without the column `task` where the run has one."""
    table = pd.DataFrame(list(rows))
    return table if not len(table) or table["task"].any() else table.drop(columns="task")
