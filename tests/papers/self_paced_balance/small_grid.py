"""Small parameters of the paper for its tests."""

from lib import params
from lib.papers.self_paced_balance import SelfPacedBalance

SHARED = {"learning_rate": 0.01, "dropout": 0.1, "epochs": 2}
BIDDIN = SHARED | {"hidden": 4, "global_size": 4, "party_size": 4, "emotion_size": 4}
MMGCN = SHARED | {"hidden": 4}
EVERY = {
    "biddin": BIDDIN,
    "dialogue_gcn": MMGCN | {"graph_hidden": 4, "past": 2, "future": 1},
    "mm_dfn": MMGCN,
    "mmgcn": MMGCN,
    "late_fusion": MMGCN,
}
GIVEN = {
    "samples": 25,
    "dataset": "iemocap_conversations_like",
    "subsets": ["atv", "at"],
    "backbones": {"biddin": BIDDIN, "mmgcn": MMGCN},
    "layers": 1,
    "feedforward": 8,
    "pace": {"threshold": 0.3, "growth": 1.5},
    "mends": ["axis", "masks", "selected"],
    "mend_subsets": ["atv", "at"],
    "seeds": [0, 1],
    "batch_size": 8,
    "results": "results/x",
}


def given(**changes) -> SelfPacedBalance:
    return params.check(SelfPacedBalance, GIVEN | changes, where="test")
