"""One file per finished run of a grid: raw outputs, history and what identifies the run.

Metrics are not stored: they are derived from the outputs, so a better metric never needs a new training.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lib.files import atomic_path
from lib.training.recipe import Member, Recipe
from lib.training.run import Outcome
from lib.training.validation import IN_WORDS

FINISHED, DIVERGED, UNSELECTED, FAILED = "finished", "diverged", "unselected", "failed"
"""How a run ended: with an epoch that was tested; without one, because the losses were not finite, or because they
were, but the score that selects the epoch was undefined in every epoch; or with an error."""


@dataclass(frozen=True)
class Record:
    """`outputs[split]` are the selected epoch's raw outputs; empty unless the run has finished.

    `selected_on` says which split chose the epoch and which chose the hyper-parameters. `reason` says why a run has
    no outputs, or outputs that are not finite, of which no score is defined; else it is empty. `engine` says how its
    epochs were computed: "loop on cpu", "fleet on cuda, CUDA graph".
    """

    variant: str
    seed: int
    key: str
    status: str
    reason: str
    selected_on: dict[str, str]
    best_epoch: int
    engine: str
    seconds: float
    tags: dict[str, float | int | str]
    history: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
    weights: str

    @property
    def scored(self) -> bool:
        """Whether the run has finished with finite outputs."""
        return self.status == FINISHED and not self.reason


def file_name(member: Member, key: str) -> str:
    """A name that a person can read and that two different runs never share."""
    words = "".join(c if c.isalnum() or c in "._-" else "-" for c in member.variant)
    return f"{words}-seed{member.seed}-{key[:12]}"


def write(folder: Path, member: Member, key: str, outcome: Outcome, seconds: float) -> None:
    """Write the weights, then, last and atomically, the record that makes the run count as finished."""
    name = file_name(member, key)
    weights = f"{name}.weights.safetensors"
    if not outcome.diverged:
        state = {k: v.detach().cpu().contiguous().numpy() for k, v in outcome.best_state.items()}
        with atomic_path(folder / weights) as path:
            save_file(state, path)
    status, reason = ending(outcome, member.recipe)
    about = {
        "variant": member.variant,
        "seed": member.seed,
        "key": key,
        "status": status,
        "reason": reason,
        "selected_on": {"epoch": epoch_selected_on(member.recipe), "hyper-parameters": "none (fixed in the YAML)"},
        "best_epoch": outcome.best_epoch,
        "engine": outcome.engine,
        "seconds": seconds,
        "tags": dict(member.tags),
        "weights": "" if outcome.diverged else weights,
        "member": member.as_json(),
    }
    tensors = {f"history/{k}": np.asarray(v, dtype=np.float64) for k, v in outcome.history.items()}
    tensors |= {f"outputs/{k}": v.detach().cpu().contiguous().numpy() for k, v in outcome.outputs.items()}
    with atomic_path(folder / f"{name}.safetensors") as path:
        save_file(tensors, path, metadata={"record": json.dumps(about, allow_nan=False)})


def ending(outcome: Outcome, recipe: Recipe) -> tuple[str, str]:
    """Status and reason of a run."""
    if outcome.failure:
        return FAILED, outcome.failure
    if not outcome.diverged:
        split = next((name for name, out in outcome.outputs.items() if not out.isfinite().all()), "")
        return FINISHED, f"the outputs for the {split} split hold NaN or infinity" if split else ""
    epochs = f"{outcome.epochs_run} epoch{'' if outcome.epochs_run == 1 else 's'}"
    losses = [np.isfinite(outcome.history.get(name, [])) for name in ("train_loss", "valid_loss")]
    if np.all(losses):
        return UNSELECTED, f"no defined {IN_WORDS[recipe.select_by]} in {epochs}"
    if not losses[1].any():
        return DIVERGED, f"no finite validation loss in {epochs}"
    return DIVERGED, f"the loss left the finite numbers in epoch {int(np.argmin(np.all(losses, axis=0))) + 1}"


def epoch_selected_on(recipe: Recipe) -> str:
    """Which split, and what of it, chose the tested epoch."""
    return "none (the last epoch is tested)" if recipe.tested_epoch == "last" else IN_WORDS[recipe.select_by]


def read(folder: Path, member: Member, key: str) -> Record | None:
    """The record of a finished run, or None if there is none, it is damaged, or it is another run's."""
    path = folder / f"{file_name(member, key)}.safetensors"
    try:
        with safe_open(path, framework="np") as archive:
            about = json.loads(archive.metadata()["record"])
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118 (not a mapping)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    if about.get("key") != key:
        return None
    parts = {
        prefix: {name.removeprefix(f"{prefix}/"): t for name, t in tensors.items() if name.startswith(f"{prefix}/")}
        for prefix in ("history", "outputs")
    }
    fields = {name: about[name] for name in Record.__dataclass_fields__ if name in about}
    return Record(**fields, **parts)


def load_weights(folder: Path, record: Record) -> dict[str, torch.Tensor]:
    """The selected epoch's state dict of a finished run."""
    with safe_open(folder / record.weights, framework="pt") as archive:
        return {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118


def engines(records: Iterable[Record]) -> str:
    """How the runs of a grid were computed, for its manifest."""
    return ", ".join(sorted({record.engine for record in records if record.engine}))
