"""The explorer's widgets: choose, train with a live curve, stop, look, disturb, save.

Nothing here computes: the panel calls what the notebook's cells call, so both have the same numbers. The training runs
in a thread beside the kernel's main one, else no button would be heard before it ends.
"""

import html
import io
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets
import numpy as np
import pandas as pd
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lib import papers, params
from lib.data import corpora
from lib.errors import Diverged, InputError
from lib.files import WORKSPACE, write_text
from lib.papers.explore import CONVERSATION, Explore, models_of, views
from lib.papers.explore import study as explore
from lib.reporting import figures, modality_figures, tables
from lib.reporting.caption import caption, is_synthetic
from lib.reporting.disturbed import missing_score, noisy_score
from lib.reporting.gains import summary
from lib.reporting.lost_runs import sentence
from lib.reporting.manifest import portable
from lib.reporting.modality_share import share_table
from lib.reporting.statistics import t_interval
from lib.study import Runs
from lib.training.trained import Trained

REDRAW_S = 0.3
"""Seconds between two pictures of the live curve: drawing takes longer than a small epoch."""
SIZES = {"conversation": (60, 16)}
OF_UTTERANCES = (400, 32)
"""Samples of a stand-in and of a minibatch that a corpus of another kind begins with: dialogues are fewer."""
FOLDER = WORKSPACE / "params" / "explore"
"""Where a setting is kept, as parameters of a batch run."""
RESERVED = ("quick", "paper", "explore")
"""Names that mean something: the stored runs, and the folder of runs by hand."""
NOT_KEPT = {"results", "data_root", "cores"}
"""What the batch run decides itself."""


class Panel:
    """Widgets that begin at a setting. `box` is displayed; `setting`, `found` and `runs` are of the last training."""

    def __init__(self, p: Explore):
        self._first, self._thread, self._cancelled = p, None, threading.Event()
        self.setting: Explore | None = None
        self.found: Runs | None = None
        self.runs: list[Trained] = []
        self.dataset = widgets.Dropdown(options=explore.present_corpora(), value=p.dataset, description="corpus")
        self.model = widgets.Dropdown(options=_titled(models_of(p.dataset)), value=p.model, description="model")
        there = corpora.get(p.dataset).modalities
        self.about = widgets.HTML(_in_words(p.dataset))
        self.modalities = widgets.SelectMultiple(options=there, value=p.modalities, rows=3, description="modalities")
        self.dropout_rate = widgets.FloatSlider(p.dropout_rate, min=0, max=1, step=0.05, description="dropout")
        dropped = [m for m in p.dropped if m in there]
        self.dropped = widgets.SelectMultiple(options=there, value=dropped, rows=3, description="of these")
        self.curriculum = widgets.Checkbox(value=p.curriculum is not None, description="SPCL")
        pace = p.curriculum.model_dump() if p.curriculum else {"threshold": 0.4, "growth": 1.25}
        self.threshold = widgets.FloatText(pace["threshold"], description="threshold")
        self.growth = widgets.FloatText(pace["growth"], description="growth")
        self.samples = widgets.IntText(p.samples, description="samples")
        self.hidden = widgets.IntText(p.hidden, description="hidden")
        self.epochs = widgets.IntText(p.epochs, description="epochs")
        self.batch_size = widgets.IntText(p.batch_size, description="batch")
        self.learning_rate = widgets.FloatText(p.learning_rate, description="step size")
        self.seeds = widgets.Text(" ".join(map(str, p.seeds)), description="seeds")
        self.train = widgets.Button(description="Train", button_style="primary")
        self.cancel = widgets.Button(description="Cancel", disabled=True)
        self.name = widgets.Text(placeholder="name of the setting", description="save as")
        self.save = widgets.Button(description="Save")
        self.said = widgets.HTML()
        # Without a picture there is no image: a browser would show the mark of a broken one.
        self.live = widgets.Image(format="png", layout=widgets.Layout(width="520px", display="none"))
        self.disturbed = widgets.Dropdown(options=p.modalities, description="disturb")
        self.noise = widgets.FloatSlider(0, min=0, max=3, step=0.25, description="noise", continuous_update=False)
        self.missing = widgets.FloatSlider(0, min=0, max=1, step=0.05, description="missing", continuous_update=False)
        self.effect = widgets.HTML()
        self.tabs = widgets.Tab()
        self._connect()
        self._adapt()
        self.box = self._laid_out()

    def _connect(self) -> None:
        self.dataset.observe(lambda change: self._other_corpus(), names="value")
        self.model.observe(lambda change: self._adapt(), names="value")
        self.train.on_click(lambda button: self.start())
        self.cancel.on_click(lambda button: self._cancelled.set())
        self.save.on_click(lambda button: self._guarded(self._save))
        for control in (self.disturbed, self.noise, self.missing):
            control.observe(lambda change: self._guarded(self._disturb), names="value")

    def _laid_out(self) -> widgets.Widget:
        columns = (
            (self.dataset, self.model, self.modalities, self.samples),
            (self.dropout_rate, self.dropped, self.curriculum, self.threshold, self.growth),
            (self.hidden, self.epochs, self.batch_size, self.learning_rate, self.seeds),
        )
        chosen = widgets.HBox([widgets.VBox(column) for column in columns])
        buttons = widgets.HBox([self.train, self.cancel, self.name, self.save])
        controls = widgets.HBox([self.disturbed, self.noise, self.missing])
        return widgets.VBox([chosen, self.about, buttons, self.said, self.live, self.tabs, controls, self.effect])

    def _other_corpus(self) -> None:
        """Offer the models that fit, the modalities that are there, and a size, which real data has not."""
        known = corpora.get(self.dataset.value)
        self.about.value = _in_words(known.name)
        for choice in (self.modalities, self.dropped):
            kept = [m for m in choice.value if m in known.modalities]
            choice.value = ()  # a browser looks for what is chosen among the new options, and stumbles over it
            choice.options = known.modalities
            choice.value = kept or known.modalities
        fitting, chosen = models_of(known.name), self.model.value
        self.model.options = _titled(fitting)
        self.model.value = chosen if chosen in fitting else fitting[0]
        samples, batch_size = SIZES.get(known.kind, OF_UTTERANCES)
        if not known.stands_for:
            self.samples.value = 0
        elif not self.samples.value or chosen not in fitting:
            self.samples.value = samples
        if chosen not in fitting:
            self.batch_size.value = batch_size
        self._adapt()

    def _adapt(self) -> None:
        """Close what the model does not allow."""
        conversation = self.model.value in CONVERSATION
        self.dropout_rate.disabled = self.dropped.disabled = conversation
        self.curriculum.disabled = self.threshold.disabled = self.growth.disabled = not conversation
        self.samples.disabled = not corpora.get(self.dataset.value).stands_for

    def chosen(self) -> Explore:
        """The setting that the widgets show, checked. Raises InputError."""
        conversation = self.model.value in CONVERSATION
        pace = {"threshold": self.threshold.value, "growth": self.growth.value}
        try:
            seeds = [int(word) for word in self.seeds.value.replace(",", " ").split()]
        except ValueError:
            raise InputError(f"seeds {self.seeds.value!r} are no numbers", todo="for example: 0 1 2") from None
        values = {
            "dataset": self.dataset.value,
            "samples": self.samples.value,
            "model": self.model.value,
            "modalities": [m for m in self.modalities.options if m in self.modalities.value],
            "dropout_rate": 0.0 if conversation else self.dropout_rate.value,
            "dropped": [m for m in self.dropped.options if m in self.dropped.value],
            "curriculum": pace if conversation and self.curriculum.value else None,
            **{n: getattr(self, n).value for n in ("hidden", "epochs", "batch_size", "learning_rate")},
            "seeds": seeds,
        }
        kept = {name: getattr(self._first, name) for name in NOT_KEPT}
        return params.check(Explore, values | kept, where="panel")

    def start(self) -> None:
        """Train what is chosen, in a thread; `join` waits for it."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._cancelled.clear()
        self.train.disabled, self.cancel.disabled = True, False
        self.said.value = "training"
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the training that was started has ended, one way or another."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _work(self) -> None:
        self._guarded(self._train)
        self.train.disabled, self.cancel.disabled = False, True

    def _guarded(self, action: Callable[[], None]) -> None:
        """What goes wrong is told in the panel, without paths of this machine."""
        try:
            action()
        except explore.Cancelled:
            self._say("Cancelled. Finished seeds are kept; Train goes on with the others.")
        except Exception as error:  # whatever it is, nobody reads the output of a thread
            what = str(error) if isinstance(error, InputError | Diverged) else f"{type(error).__name__}: {error}"
            self._say(str(portable(what)))

    def _say(self, text: str) -> None:
        self.said.value = html.escape(text)

    def _train(self) -> None:
        p = self.chosen()
        study = explore.study(p)
        seen: dict[int, Mapping[str, Sequence[float]]] = {}
        drawn = 0.0

        def watch(seed: int, history: Mapping[str, Sequence[float]]) -> None:
            nonlocal drawn
            seen[seed] = {name: list(values) for name, values in history.items()}
            if time.monotonic() - drawn > REDRAW_S:
                self._draw(live_picture(seen, study.label))
                drawn = time.monotonic()

        found = explore.train(study, watch=watch, cancelled=self._cancelled)
        self._draw(live_picture(views.histories(found.records), study.label))
        self.setting, self.found, self.runs = p, found, explore.asked(found)
        if not self.runs:
            what, todo = sentence(found.records, len(found.records))
            raise Diverged(what, todo=todo)
        self._show_results()

    def _draw(self, picture: bytes) -> None:
        self.live.value, self.live.layout.display = picture, None

    def _show_results(self) -> None:
        study = self.found.study
        (task,), label = study.tasks, study.label
        metric, panels = task.metrics[0], self.found.confusion(task, [explore.TITLES[self.setting.model]])
        shown = {
            "scores": _table(
                summary(self.found.table, metric), f"Test {metric}", label, ["variant", "n", "score", "t_interval"]
            )
        }
        if self.runs:
            changes = views.change_table(task, self.runs)
            changed = views.changed_table(task, self.runs[0])
            first = views.prediction_table(task, self.runs[0])
            matrix = figures.confusion_matrices(panels, task.classes.names, label=label, title="Test set, all seeds")
            shown |= {
                "predictions": _table(first, f"First test utterances, seed {self.runs[0].seed}", label),
                "confusion": _picture(matrix),
                "without a modality": widgets.VBox(
                    [
                        _table(changes, "Answers that change, mean over the seeds", label),
                        _table(changed, f"First utterances that change, seed {self.runs[0].seed}", label),
                    ]
                ),
                "shares": _picture(modality_figures.shares(share_table(self.runs, metric), label=label)),
            }
        self.tabs.children = tuple(shown.values())
        self.tabs.titles = tuple(shown)
        self.disturbed.options = self.setting.modalities
        lines = [f"{r.variant}, seed {r.seed}: {r.status}. {r.reason}" for r in self.found.records if r.reason]
        self._say(" ".join([f"Done: {len(self.runs)} of {len(self.found.records)} seeds finished.", *lines]))
        self._disturb()

    def _disturb(self) -> None:
        """The score under the noise and the missing rate of the sliders, each alone."""
        if not self.runs or self.disturbed.value is None:
            return
        modality, metric = self.disturbed.value, explore.METRICS[self.setting.kind]
        told = [f"{_over_seeds([run.plain() for run in self.runs])} undisturbed"]
        if self.noise.value and modality in self.runs[0].spread:
            noisy = [noisy_score(run, modality, self.noise.value) for run in self.runs]
            told.append(f"{_over_seeds(noisy)} with noise of {self.noise.value:g} deviations on {modality}")
        if self.missing.value:
            fewer = [missing_score(run, modality, self.missing.value) for run in self.runs]
            told.append(f"{_over_seeds(fewer)} with {modality} missing from {self.missing.value:.0%}")
        self.effect.value = html.escape(f"Test {metric}: {'; '.join(told)}. Corpus: {self.found.study.label}")

    def _save(self) -> None:
        p = self.chosen()
        if self.setting is not None and p != self.setting:
            raise InputError("the setting was changed since it was trained", todo="train it, then save")
        command = save(p, self.name.value.strip())
        self._say(f"Saved. The same numbers, bit for bit: {command}")


def save(p: Explore, name: str) -> str:
    """Write `params/explore/<name>.yaml`; returns the command that repeats the setting, bit for bit.

    Raises InputError for an unusable name, a name that another setting has, and a data folder of its own, which a
    batch run would not use.
    """
    if not re.fullmatch(r"\w[\w-]*", name, re.ASCII) or name in RESERVED:
        what = f"{name!r} cannot be the name of a setting"
        raise InputError(what, todo=f"use letters, digits, - and _, and none of {', '.join(RESERVED)}")
    if p.data_root:
        raise InputError("this setting has a data folder of its own", todo="name it in REPRISE_DATA instead")
    path, run = FOLDER / f"{name}.yaml", f"explore/{name}"
    kept = p.model_dump(mode="json", exclude=NOT_KEPT)
    if path.exists():
        if papers.load(path, results="-").model_dump(mode="json", exclude=NOT_KEPT) != kept:
            raise InputError(f"{run} is another setting", todo="choose another name")
    else:
        write_text(path, f"# Saved from the explorer.\n{yaml.safe_dump(kept, sort_keys=False)}")
    return f"./run_all.sh --only {run}"


def live_picture(histories: Mapping[int, Mapping[str, Sequence[float]]], label: str) -> bytes:
    """The curve so far as a PNG; drawn without pyplot, whose state belongs to the main thread."""
    figure = Figure(figsize=(6.2, 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    views.draw_curve(axes, histories)
    axes.legend(frameon=False, fontsize=8)
    axes.set_title(label, fontsize=9, color="#b00020" if is_synthetic(label) else "0.35", loc="left")
    return _png(figure)


def _picture(figure: Figure) -> widgets.Image:
    return widgets.Image(value=_png(figure), format="png", layout=widgets.Layout(max_width="760px"))


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _table(table: pd.DataFrame, words: str, label: str, shown: Sequence[str] | None = None) -> widgets.HTML:
    cells = tables.readable(table, shown=shown, digits=3)
    return widgets.HTML(f"<p>{html.escape(caption(words, label))}</p>{cells.to_html(index=False, border=0)}")


def _in_words(dataset: str) -> str:
    """What there is to say of a corpus before it is read."""
    known = corpora.get(dataset)
    return f"<small>{html.escape(f'{known.title}. Licence: {known.licence}')}</small>"


def _titled(models: Sequence[str]) -> list[tuple[str, str]]:
    return [(explore.TITLES[name], name) for name in models]


def _over_seeds(values: Sequence[float]) -> str:
    low, high = t_interval(np.array(values))
    interval = "" if np.isnan(low) else f" ({low:.3f} to {high:.3f})"
    return f"{np.mean(values):.3f}{interval}"
