"""Small finished runs of papers, and models exported from them."""

from pathlib import Path

import pytest

from lib.data.io import yaml_files
from lib.export.inputs import Utterances
from lib.export.writing import export
from lib.files import WORKSPACE
from lib.papers import schema_for, study_of
from lib.study import Runs

TINY = {
    "mosi_positive_colearning": {
        "samples": 120,
        "rates": [0, 0.8],
        "seeds": [0, 1],
        "epochs": 2,
        "hidden": [4, 3, 2],
        "memory": 4,
        "widths": [4] * 5,
    },
    "iemocap_negative_colearning": {
        "samples": 120,
        "target": ["text", "audio"],
        "support": ["video"],
        "rates": [0, 0.8],
        "seeds": [0, 1],
        "epochs": 2,
        "batch_size": 20,
        "hidden": 4,
    },
    "low_rank_fusion": {"samples": 120, "seeds": [0, 1], "epochs": 2, "ranks": [4], "search_draws": 2},
    "emotion_embeddings": {
        "datasets": ["mosei_emotions_like"],
        "samples": 200,
        "models": ["eea", "transformer"],
        "ablation": False,
        "contrasts": ["other_loss"],
        "contrast_baselines": False,
        "seeds": [0, 1],
        "epochs": 2,
    },
    "self_paced_balance": {
        "samples": 30,
        "subsets": ["atv", "av"],
        "backbones": {
            "dialogue_gcn": {"hidden": 8, "graph_hidden": 4, "learning_rate": 0.01, "dropout": 0.1, "epochs": 2},
            "late_fusion": {"hidden": 8, "learning_rate": 0.01, "dropout": 0.1, "epochs": 2},
        },
        "mends": [],
        "mend_subsets": [],
        "seeds": [0, 1],
    },
    "explore": {
        "dataset": "mosei_emotions_like",
        "samples": 200,
        "model": "lmf",
        "dropout_rate": 0.5,
        "curriculum": None,
        "hidden": 6,
        "epochs": 2,
        "seeds": [0, 1],
    },
}
VARIANTS = {
    "mosi_positive_colearning": "rate 0.8",
    "iemocap_negative_colearning": "rate 0.8",
    "low_rank_fusion": "LMF",
    "emotion_embeddings": "EEA",
    "self_paced_balance": "DialogueGCN av + SPCL",
    "explore": "LMF",
}


def tiny_study(notebook: str, folder: Path, **changes: object):
    """That of the quick run with fewer samples, seeds, epochs and units; its results go to `folder`."""
    quick = yaml_files.read(WORKSPACE / "params" / notebook / "quick.yaml", where="quick.yaml")
    given = quick | TINY.get(notebook, {}) | changes | {"results": str(folder)}
    return study_of(yaml_files.check(schema_for(notebook), given, where="tiny"))


def test_split(runs: Runs) -> Utterances:
    return Utterances.of(runs.study.tasks[0].corpus.splits["test"], "test split")


test_split.__test__ = False


def record_of(runs: Runs, variant: str, seed: int):
    return next(record for record in runs.records if (record.variant, record.seed) == (variant, seed))


@pytest.fixture(scope="session", params=TINY)
def trained(request, tmp_path_factory) -> tuple[str, Runs]:
    """A notebook and its finished runs."""
    return request.param, tiny_study(request.param, tmp_path_factory.mktemp(request.param)).train()


@pytest.fixture(scope="session")
def colearned(tmp_path_factory) -> Runs:
    return tiny_study("iemocap_negative_colearning", tmp_path_factory.mktemp("colearned")).train()


@pytest.fixture(scope="session")
def exported(colearned, tmp_path_factory) -> Path:
    """A model of nine classes that reads text and audio."""
    to = tmp_path_factory.mktemp("exported") / "model"
    return export(colearned, "iemocap_negative_colearning", "quick", "rate 0.8", None, to)
