"""The code cells of a real notebook with small parameters, in this process, where training can be tampered with."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from lib.training import execution, loop
from lib.training.recipe import Member
from lib.training.run import Outcome

ROOT = Path(__file__).resolve().parents[2]
SEEDS = {"seeds": [0, 1, 2]}
HIDDEN = {"text": 24, "audio": 4, "video": 4}
TINY: dict[str, dict[str, object]] = {
    "iemocap_negative_colearning": {"samples": 150, "rates": [0.0, 0.8], "epochs": 1, "batch_size": 30, "hidden": 4},
    "mosi_positive_colearning": {
        "samples": 150,
        "rates": [0.0, 0.8],
        "epochs": 1,
        "batch_size": 30,
        "hidden": [4, 4, 4],
        "memory": 4,
        "widths": [4] * 5,
    },
    "low_rank_fusion": {"samples": 122, "epochs": 1, "tfn_size": 4, "ranks": [1, 4], "search_draws": 3},
    "emotion_embeddings": {
        "samples": 60,
        "datasets": ["mosei_emotions_like", "iemocap_emotions_like"],
        "models": ["eea", "ef_rnn", "lf_rnn"],
        "contrasts": ["final_states", "other_loss"],
        "ablation": True,
        "epochs": 1,
        "layers": 1,
        "hidden": HIDDEN,
        "early_hidden": 4,
    },
    "unseen_emotions": {
        "samples": 120,
        "held_out": ["anger", "happy"],
        "few_shot": ["happy"],
        "shots": [1, 5],
        "shares": [0.1],
        "epochs": 1,
        "hidden": HIDDEN,
        "fine_tuning": {"share": 0.1, "epochs": 1, "learning_rate": 0.003, "memory": 16},
    },
    "self_paced_balance": {
        "samples": 30,
        "subsets": ["atv", "at"],
        "backbones": {
            "mmgcn": {"hidden": 8, "learning_rate": 0.003, "dropout": 0.2, "epochs": 2},
            "late_fusion": {"hidden": 8, "learning_rate": 0.003, "dropout": 0.2, "epochs": 2},
        },
        "feedforward": 8,
        "mends": ["masks", "selected"],
        "mend_subsets": ["atv", "at"],
    },
    "end_to_end_sparse": {
        "samples": {"train": 24, "valid": 12, "test": 12, "frames": 3},
        "models": {
            "mme2e": {"learning_rate": 0.002, "epochs": 1, "batch_size": 8, "early_stop": 6},
            "mme2e_sparse": {"learning_rate": 0.002, "epochs": 1, "batch_size": 8, "early_stop": 6},
            "lf_rnn": {"learning_rate": 0.0005, "epochs": 1, "batch_size": 8, "early_stop": 8, "clip_norm": 2},
        },
        "changes": ["corrected"],
        "encoder": {"channels": [2, 2, 2, 2], "flatten_size": 8, "width": 8, "layers": 1, "heads": 2},
        "text_encoder": {
            "hidden_size": 8,
            "layers": 1,
            "heads": 2,
            "intermediate_size": 8,
            "embedding_size": 8,
            "vocabulary": 50,
        },
    },
    "bench": {
        "samples": 100,
        "of_corpus": {"iemocap_conversations_like": {"samples": 25, "batch_size": 8}},
        "models": [{"model": model, "hidden": 4} for model in ("lf_rnn", "lmf", "late_fusion")],
        "epochs": 2,
    },
    "explore": {"samples": 30, "epochs": 2, "hidden": 8},
}
"""Parameters of each notebook with a training that cost seconds; what is not given is as in its parameters cell."""


class Finished:
    """What a notebook showed, and where its files lie."""

    def __init__(self, shown: list[str], folder: Path):
        self.text, self.folder = "\n".join(shown), folder

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.folder / "tables" / f"{name}.csv")

    def runs(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "runs.parquet")


def run_cells(notebook: str, folder: Path, monkeypatch, **parameters: object) -> Finished:
    """Run all code cells; raises what a cell raises, with what was shown until then in its attribute `shown`."""
    shown: list[str] = []
    cells = json.loads((ROOT / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]

    def display(*things: object) -> None:
        shown.extend(str(getattr(thing, "data", thing)) for thing in things)

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("lib.reporting.report.display", display)
    namespace: dict[str, object] = {"print": lambda *words: shown.append(" ".join(map(str, words)))}
    given = TINY[notebook] | SEEDS | parameters | {"results": str(folder)}
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        code = compile("".join(cell["source"]), f"{notebook}.ipynb", "exec")
        try:
            exec(code, namespace)
        except Exception as error:
            error.shown = "\n".join(shown)
            raise
        if "parameters" in cell["metadata"].get("tags", ()):
            unknown = given.keys() - namespace.keys() - {"results"}
            assert not unknown, f"the parameters cell does not have {unknown}"
            namespace |= given
    return Finished(shown, folder)


def tamper(monkeypatch, change: Callable[[Member, Outcome], Outcome]) -> None:
    """Let each training end as `change(member, outcome)` says instead; grids are trained one by one."""

    def train(member: Member, *args, **options) -> Outcome:
        return change(member, loop.train(member, *args, **options))

    monkeypatch.setattr(execution, "train", train)
    monkeypatch.setattr("lib.papers.explore.study.train_one", train)
    monkeypatch.setattr("lib.training.engine.pays_on_cpu", lambda member: False)


def diverge(lost: Callable[[Member], bool]) -> Callable[[Member, Outcome], Outcome]:
    """These members leave the finite numbers in their first epoch."""

    def change(member: Member, outcome: Outcome) -> Outcome:
        history = {name: [float("nan")] for name in outcome.history} | {"train_loss": [3e33]}
        return Outcome(history=history, engine=outcome.engine) if lost(member) else outcome

    return change


def overflow(lost: Callable[[Member], bool]) -> Callable[[Member, Outcome], Outcome]:
    """These members finish, but their outputs for the test split are not finite."""

    def change(member: Member, outcome: Outcome) -> Outcome:
        out = dict(outcome.outputs)
        out["test"] = torch.full_like(out["test"], float("inf"))
        out["test"][..., 0] = float("nan")
        return replace(outcome, outputs=out) if lost(member) else outcome

    return change
