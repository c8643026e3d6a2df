"""Parameters of a bench of seconds."""

from pathlib import Path

from lib import params
from lib.papers.bench import Bench

STRATEGIES = [
    {"strategy": "modality_dropout", "rate": 0.5},
    {"strategy": "self_paced", "threshold": 0.4, "growth": 1.5},
    {"strategy": "ogm_ge", "alpha": 0.5},
    {"strategy": "unimodal_weights", "weight": 0.5},
]
GIVEN = {
    "samples": 60,
    "datasets": ["iemocap_like", "iemocap_conversations_like"],
    "of_corpus": {"iemocap_conversations_like": {"samples": 24}},
    "models": [
        {"model": "lf_rnn", "hidden": 4},
        {"model": "lmf", "hidden": 4},
        {"model": "late_fusion", "hidden": 4},
    ],
    "strategies": STRATEGIES,
    "optimisers": {"sgd": 0.3},
    "epochs": 3,
    "batch_size": 8,
    "seeds": [0, 1, 2],
}


def given(folder: Path | str = "results/x", **changes: object) -> Bench:
    return params.check(Bench, GIVEN | {"results": str(folder)} | changes, where="test")
