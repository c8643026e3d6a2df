"""What a model says of utterances, as a table: its answer, how likely, and what each modality brought.

Columns, for a model of classes: `id`; `logit_<class>` (raw outputs); `probability_<class>`; `predicted`, the likeliest
class; `contribution_<modality>`; `without_any`. Of emotions that are present or not: `predicted` holds those that are
present, divided by `|`, and each emotion has contributions, `contribution_<modality>_<emotion>`. Of a score: `score`
(the raw output), `predicted` (within the ends of the scale), contributions to the score; of several
`score_<name>` and so on.

The contribution of a modality is its exact Shapley value (`lib.reporting.modality_share.shapley`), utterance by
utterance, in the game whose players are the modalities that the model reads. The value of a subset is what the model
says with just these modalities, all others being absent as in `lib.training.trained`, in a dialogue from every
utterance: the probability of the class that is predicted with all of them, the probability of an emotion, or the score.
The contributions and `without_any`, the value with no modality at all, add up to the value with all.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import softmax

from lib.export.about import About, Probability
from lib.metrics import presence
from lib.metrics.scores import predicted_classes
from lib.reporting.disturbed import Subset, subsets
from lib.reporting.modality_share import shapley

Values = Float[np.ndarray, "utterances values"]
BETWEEN = "|"
"""Stands between the emotions that are present."""


def table_of(about: About, ids: Sequence[str], outputs: Callable[[Subset], Values]) -> pd.DataFrame:
    """The table of utterances whose raw outputs with only some modalities present are `outputs`."""
    raw = {subset: outputs(subset) for subset in subsets(about.reads)}
    everything = raw[frozenset(about.reads)]
    said = _said(about, everything)
    predicted = predicted_classes(everything)

    def value(subset: Subset) -> Values:
        found = probabilities(raw[subset], about.probability)
        if about.task != "classes":
            return np.asarray(found, np.float64)
        return np.take_along_axis(found, predicted[:, None], axis=1)

    shares = contributions(value, about.reads)
    parts = {f"contribution_{m}": shares[m] for m in about.reads} | {"without_any": value(frozenset())}
    endings = _endings(about) if about.task != "classes" else [""]
    columns = {f"{name}{ending}": values[:, k] for name, values in parts.items() for k, ending in enumerate(endings)}
    return pd.DataFrame({"id": list(ids), **said, **columns})


def probabilities(outputs: Values, kind: Probability) -> Values:
    """Softmax over the outputs, in float64; the sigmoid of each, in their own precision, in which the decisions are
    made; the outputs themselves where they are scores."""
    if kind == "softmax":
        return softmax(outputs.astype(np.float64), axis=1)
    return presence.probabilities(outputs) if kind == "sigmoid" else outputs


def contributions(value: Callable[[Subset], Values], modalities: Sequence[str]) -> dict[str, Values]:
    """The exact Shapley value of each modality in every cell of `value`, which is asked once per subset."""
    values = {subset: value(subset) for subset in subsets(modalities)}
    rows, columns = values[frozenset()].shape
    found = {m: np.empty((rows, columns)) for m in modalities}
    for cell in np.ndindex(rows, columns):
        for m, share in shapley(lambda subset, cell=cell: float(values[subset][cell]), modalities).items():
            found[m][cell] = share
    return found


def _said(about: About, outputs: Values) -> Mapping[str, object]:
    endings = _endings(about)
    if about.task == "regression":
        limited = np.clip(outputs, *about.scale.limits)
        raw = {f"score{ending}": outputs[:, k] for k, ending in enumerate(endings)}
        return raw | {f"predicted{ending}": limited[:, k] for k, ending in enumerate(endings)}
    likely = probabilities(outputs, about.probability)
    columns = {f"logit{ending}": outputs[:, k] for k, ending in enumerate(endings)}
    columns |= {f"probability{ending}": likely[:, k] for k, ending in enumerate(endings)}
    names = np.array(about.labels, dtype=object)
    if about.task == "classes":
        return columns | {"predicted": names[predicted_classes(outputs)]}
    present = presence.decisions(outputs, np.array(about.thresholds))
    return columns | {"predicted": [BETWEEN.join(names[row]) for row in present]}


def _endings(about: About) -> list[str]:
    """Of the columns of each output."""
    return [""] if about.task == "regression" and len(about.labels) == 1 else [f"_{name}" for name in about.labels]
