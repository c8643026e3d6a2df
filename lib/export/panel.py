"""The widgets of an exported model: choose a folder, see its scores, and what it says of one utterance and why.

Nothing here computes: the numbers are those of `run_all.sh predict` (`lib.export.prediction`).
"""

import html
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets
import pandas as pd

from lib.errors import InputError
from lib.export.about import ABOUT, About
from lib.export.corpora import by_name
from lib.export.inputs import Utterances, from_path, strangers
from lib.export.loading import ExportedModel, load_trained
from lib.files import WORKSPACE
from lib.reporting import tables
from lib.reporting.caption import caption
from lib.reporting.manifest import portable

NONE = "none here yet: ./run_all.sh export NOTEBOOK/RUN --variant V makes one"
SPLIT = "test"
"""Of a corpus that is asked about."""


class Panel:
    """`box` is displayed; `model` is the one that was opened last, `said` its answers, a row for each utterance."""

    def __init__(self):
        self.model: ExportedModel | None = None
        self.said = pd.DataFrame()
        folders = exported_folders()
        wide = widgets.Layout(width="640px")
        self.folder = widgets.Combobox(
            options=folders, value=(folders or [""])[0], placeholder=NONE, description="model", layout=wide
        )
        self.open = widgets.Button(description="Open", button_style="primary")
        self.told = widgets.HTML()
        self.scores = widgets.HTML()
        self.given = widgets.Combobox(
            placeholder="a corpus, a corpus folder or a table", description="asked", layout=wide
        )
        self.ask = widgets.Button(description="Ask", disabled=True)
        self.utterance = widgets.Dropdown(description="utterance", layout=wide)
        self.answer = widgets.HTML()
        self.open.on_click(lambda button: self._guarded(self._open))
        self.ask.on_click(lambda button: self._guarded(self._ask))
        self.utterance.observe(lambda change: self._show(), names="value")
        rows = [widgets.HBox([self.folder, self.open]), self.told, self.scores, widgets.HBox([self.given, self.ask])]
        self.box = widgets.VBox([*rows, self.utterance, self.answer])

    def _guarded(self, action: Callable[[], None]) -> None:
        """What cannot be used is told in the panel, without paths of this machine."""
        try:
            action()
        except InputError as error:
            self._say(str(portable(str(error))))

    def _say(self, *lines: str) -> None:
        self.told.value = "<br>".join(map(html.escape, lines))

    def _open(self) -> None:
        self.model, self.said = None, pd.DataFrame()
        self.ask.disabled, self.scores.value, self.answer.value, self.utterance.options = True, "", "", ()
        self.model = load_trained(WORKSPACE / self.folder.value.strip())
        about = self.model.about
        self._say(f"{about.name}; reads {', '.join(about.reads)}; {about.data.licence}", *about.data.warnings)
        self.scores.value = _html(score_table(about), "Test scores of this seed and over the seeds", about)
        known = _corpora(about)
        self.given.options, self.given.value, self.ask.disabled = known, (known or [""])[0], False

    def _ask(self) -> None:
        given = self.given.value.strip()
        utterances = _utterances(self.model.about, given)
        self.said = self.model.predict(utterances)
        self._say(f"{given}: {len(self.said)} utterances", *strangers(self.model.about, utterances))
        self.utterance.options = list(self.said["id"])
        self.utterance.index = 0  # new options leave an empty choice empty
        self._show()

    def _show(self) -> None:
        """The answer for the chosen utterance, and the contributions that add up to it."""
        row = self.said[self.said["id"] == self.utterance.value] if len(self.said) else self.said
        if not len(row):
            self.answer.value = ""
            return
        answer, parts = told(row.iloc[0])
        about = self.model.about
        self.answer.value = _html(answer, f"Answer for {self.utterance.value}", about) + _html(
            parts, "What each modality contributes (exact Shapley values), and what is said without any", about
        )


def exported_folders() -> list[str]:
    """Exported models below the results of all runs, relative to the workspace."""
    found = sorted((WORKSPACE / "results").glob(f"*/*/exported/*/{ABOUT}"))
    return [path.parent.relative_to(WORKSPACE).as_posix() for path in found]


def score_table(about: About) -> pd.DataFrame:
    """The headline scores first."""
    names = dict.fromkeys([*(name for name in about.headline if name in about.scores), *about.scores])
    return pd.DataFrame([{"metric": name, **about.scores[name].model_dump()} for name in names])


def told(row: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row of a prediction as two tables: what is said, and what adds up to it, by modality."""
    names = [str(name) for name in row.index if name != "id"]
    parts = [name for name in names if name.startswith(("contribution_", "without_any"))]
    answer = pd.DataFrame([{"answer": name, "value": row[name]} for name in names if name not in parts])
    return answer, pd.DataFrame([{"part": name.removeprefix("contribution_"), "value": row[name]} for name in parts])


def _corpora(about: About) -> list[str]:
    """Names of the corpora that the run of the training read."""
    given = about.parameters
    return [str(name) for name in [given.get("dataset"), *(given.get("datasets") or ())] if name]


def _utterances(about: About, given: str) -> Utterances:
    """What is meant, as `run_all.sh predict` takes it. Raises InputError for what is neither."""
    path = WORKSPACE / Path(given)
    if "/" not in given and not path.is_file():
        return by_name(about, given, SPLIT)[0]
    return from_path(path, SPLIT)


def _html(table: pd.DataFrame, words: str, about: About) -> str:
    cells = tables.readable(table, digits=3).to_html(index=False, border=0)
    return f"<p>{html.escape(caption(words, about.data.label))}</p>{cells}"
