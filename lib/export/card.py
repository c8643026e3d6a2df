"""The model card: what a person should know before using an exported model."""

from pathlib import Path

import jinja2

from lib.export.about import About, Features, Made, Score

TEMPLATE = Path(__file__).with_suffix(".md.j2")
_KINDS = {"classes": "classes", "multilabel": "emotions, each present or not", "regression": "scores"}


def card(about: About, *, repeats: str) -> str:
    """Markdown; `repeats` says in words what the intervals are over."""
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.filters["line"] = lambda text: " ".join(str(text).split())
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        about=about,
        data=about.data,
        training=about.training,
        kind=_KINDS[about.task],
        repeats=repeats,
        shape=_shape,
        number=_number,
        interval=_interval,
        commit=_commit(about.made),
    )


def _shape(known: Features, dialogues: bool) -> str:
    steps = "one vector" if known.steps == 1 or dialogues else f"up to {known.steps} steps"
    return f"{steps} of {known.width} features"


def _interval(score: Score) -> str:
    return "–" if score.low is None else f"{score.low:.4g} to {score.high:.4g}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _commit(made: Made) -> str:
    if made.commit is None:
        return "an unknown commit"
    return f"commit {made.commit}{' with changes' if made.dirty else ''}"
