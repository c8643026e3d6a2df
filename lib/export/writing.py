"""`run_all.sh export`: a finished training as a folder of its own, whole or not at all."""

import hashlib
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.export import about as description
from lib.export.about import (
    ABOUT,
    CARD,
    WEIGHTS,
    About,
    Data,
    Features,
    Made,
    Network,
    Probability,
    ScaleOf,
    Score,
    sha256_ordered,
)
from lib.export.about import Training as Origin
from lib.export.card import card
from lib.export.choosing import chosen, tested_epoch
from lib.export.inputs import Utterances, spread
from lib.export.loading import load_trained
from lib.files import WORKSPACE, atomic_path, write_text
from lib.metrics.presence import best_thresholds
from lib.models.fusion_encoders import FusionEncoders
from lib.papers.emotion_embeddings import EmotionEmbeddings
from lib.reporting import manifest
from lib.reporting.claims import claims
from lib.reporting.statistics import mean, t_interval
from lib.study import Done, Runs, Task
from lib.training import records
from lib.training.losses import Loss

NEAR = 1e-3
"""What another processor may change in an output; more means that the weights are not those of the record."""
PROBABILITIES: dict[Loss, Probability] = {
    "cross_entropy": "softmax",
    "soft_cross_entropy": "softmax",
    "cross_entropy_sum": "softmax",
    "bce": "sigmoid",
}
"""As the loss takes the outputs; of the others they are scores."""
_OF_THE_MACHINE = {"results", "data_root", "cores"}


def export(runs: Runs, notebook: str, name: str, variant: str, seed: int | None, to: Path | None) -> Path:
    """Write one training of the run `notebook/name` to the folder `to`, by default below the run's `exported/`.

    A model that was exported there before is replaced, anything else refused. Before the folder gets its name, what it
    holds has answered for the test split as the record did. Raises InputError for a training that is not there or
    cannot be exported.
    """
    done, why = chosen(runs, variant, seed, f"{notebook}/{name}")
    task, _, record = done
    words = "".join(c if c.isalnum() or c in "._-" else "-" for c in variant)
    target = to or runs.study.folder / "exported" / f"{words}-seed{record.seed}"
    _refuse_other(target)
    members = runs.study.folder / "members"
    about = _about(runs, done, notebook, name, why)
    with _whole(target) as folder:
        with atomic_path(folder / WEIGHTS) as path:
            save_file(records.load_weights(members, record), path)
        description.write(folder, about)
        found = load_trained(folder).outputs(Utterances.of(task.corpus.splits["test"], str(target)))
        about = about.model_copy(update={"training": _compared(about.training, found, record.outputs["test"], target)})
        description.write(folder, about)
        write_text(folder / CARD, card(about, repeats=runs.study.repeats))
    return target


def _compared(origin: Origin, found: np.ndarray, recorded: np.ndarray, where: Path) -> Origin:
    """Raises InputError if what is written does not answer as the record did."""
    if found.shape != recorded.shape or not np.allclose(found, recorded, rtol=NEAR, atol=NEAR):
        what = "the exported weights do not give the recorded test outputs"
        raise InputError(what, where=where, todo="the record is damaged: remove it and run again")
    return origin.model_copy(update={"largest_difference": float(np.abs(found - recorded).max())})


def outputs_sha256(outputs: np.ndarray) -> str:
    """Of the raw outputs' type, shape and bytes."""
    return hashlib.sha256(
        f"{outputs.dtype} {outputs.shape}".encode() + np.ascontiguousarray(outputs).tobytes()
    ).hexdigest()


def _about(runs: Runs, done: Done, notebook: str, name: str, why: str) -> About:
    task, member, record = done
    corpus, p, architecture = task.corpus, runs.study.p, member.model.architecture
    slots = {m: f"{m}_subnet" for m in corpus.modalities} if issubclass(architecture, FusionEncoders) else {}
    emotions = corpus.task == "multilabel"
    arguments = _plain(member.model.arguments)
    best = best_thresholds(record.outputs["valid"], corpus.splits["valid"].labels) if emotions else ()
    source = corpus.source
    return About(
        notebook=notebook,
        run=name,
        variant=record.variant,
        seed=record.seed,
        parameters=manifest.portable(p.model_dump(mode="json", exclude=_OF_THE_MACHINE)),
        paper=tuple(
            dict.fromkeys(f"{claim.paper}: {claim.source}" for claim in claims() if claim.notebook == notebook)
        ),
        network=Network(
            name=member.model.name,
            arguments=arguments,
            arguments_sha256=sha256_ordered(arguments),
            encoders=slots,
        ),
        task=corpus.task,
        labels=_labels(task, record.outputs["test"].shape[1], f"{notebook}/{name}"),
        probability=PROBABILITIES.get(member.recipe.loss, "none"),
        thresholds=_thresholds(runs, task, best) if emotions else (),
        best_thresholds=tuple(map(float, best)),
        scale=ScaleOf(limits=corpus.scale.limits, neutral=corpus.scale.neutral) if corpus.scale else None,
        modalities=_features(corpus),
        trained_on=member.train_on,
        reads=member.evaluate_on,
        dialogues=corpus.splits["test"].speakers is not None,
        recipe=member.recipe,
        data=Data(
            label=source.label,
            synthetic=source.synthetic,
            licence=source.licence,
            split_rule=source.split_rule,
            warnings=source.warnings,
            digest=corpus.digest,
        ),
        training=Origin(
            key=record.key,
            engine=record.engine,
            epoch=tested_epoch(record, member.recipe) + 1,
            selected_on=record.selected_on,
            chosen=why,
            outputs_sha256=outputs_sha256(record.outputs["test"]),
            outputs_rows=len(record.outputs["test"]),
            largest_difference=0.0,
        ),
        headline=task.metrics,
        scores=_scores(runs, record.variant, record.seed),
        made=_made(),
    )


def _plain(value: object) -> object:
    """Constructor arguments as JSON keeps them."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def _labels(task: Task, outputs: int, where: str) -> tuple[str, ...]:
    corpus = task.corpus
    names = task.classes.names if corpus.task == "classes" else corpus.label_names
    if corpus.task == "regression" and outputs == 1:
        names = (task.name or names[0],)
    if len(names) != outputs:
        raise InputError(f"{outputs} outputs for the labels {', '.join(names)}", where=where)
    return names


def _thresholds(runs: Runs, task: Task, best: np.ndarray) -> tuple[float, ...]:
    """The probabilities above which the run's own scores count an emotion as present: those of the validation split
    where scores depend on it."""
    if task.run_scores is not None:
        return tuple(map(float, best))
    p = runs.study.p
    return (p.threshold if isinstance(p, EmotionEmbeddings) else 0.5,) * len(task.corpus.label_names)


def _features(corpus: Corpus) -> dict[str, Features]:
    found = {}
    for m, width in corpus.modalities.items():
        x = corpus.splits["train"].features[m]
        average, deviation = spread(x)
        found[m] = Features(width=int(width), steps=x.shape[1], mean=average.tolist(), deviation=deviation.tolist())
    return found


def _scores(runs: Runs, variant: str, seed: int) -> dict[str, Score]:
    """Every test score of the variant; over the seeds that have it. An undefined one is None."""
    of_seeds = {r.seed: task.scores(r.outputs)["test"] for task, _, r in runs.done if r.variant == variant and r.scored}
    found = {}
    for metric, own in of_seeds[seed].items():
        values = np.array([scores[metric] for scores in of_seeds.values() if np.isfinite(scores[metric])])
        low, high = t_interval(values)
        told = {"this_seed": float(own), "mean": mean(values), "low": low, "high": high}
        found[metric] = Score(**{k: v if np.isfinite(v) else None for k, v in told.items()}, seeds=len(values))
    return found


def _made() -> Made:
    state = manifest.git_state(WORKSPACE)
    return Made(
        commit=state["commit"],
        dirty=state["dirty"],
        python=platform.python_version(),
        torch=torch.__version__,
        processor=manifest.processor(),
        instructions=manifest.arithmetic()["capability"],
    )


def _refuse_other(target: Path) -> None:
    """Raises InputError for a place where something else lies than an exported model."""
    if not target.exists() and not target.is_symlink():
        return
    held = {path.name for path in target.iterdir()} if target.is_dir() and not target.is_symlink() else {""}
    if held and not (ABOUT in held and held <= {ABOUT, WEIGHTS, CARD}):
        raise InputError("something else than an exported model lies there", where=target, todo="give another --to")


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A folder beside `target` that takes its place when the block ends without an error, and else is removed."""
    target = target.absolute()
    fresh, old = (target.with_name(f".{target.name}.{ending}") for ending in ("exporting", "replaced"))
    for left in (fresh, old):  # by an export that was killed
        shutil.rmtree(left, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        yield fresh
        if target.exists():
            target.rename(old)
        fresh.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
