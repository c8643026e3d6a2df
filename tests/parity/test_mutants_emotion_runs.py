"""Wrong training runs, scores and data rules of the emotion-embedding reference fail the parity checks."""

import pytest

from tests.parity.mutants import assert_killed, listed, mutants, named
from tests.parity.test_emotion_embeddings_rules import check_metrics, check_rules
from tests.parity.test_emotion_embeddings_trainer import check_loop, check_run

pytestmark = pytest.mark.slow

REPLAY = "tests.parity.test_emotion_embeddings_trainer:replay"
RUN = [
    *mutants(
        REPLAY,
        {
            "Adam's epsilon x 10": (
                'weight_decay=config["weight_decay"]',
                'weight_decay=config["weight_decay"], **({"eps": 1e-7} if config["optim"] == "adam" else {})',
            ),
            "momentum": (
                'weight_decay=config["weight_decay"]',
                'weight_decay=config["weight_decay"], **({"momentum": 0.001} if config["optim"] == "sgd" else {})',
            ),
            "no positive weights": ("pos_weight=weight)", "pos_weight=None)"),
            "loss of an epoch by minibatches": (
                "loss.item() * len(rows)",
                "loss.item() * len(labels[split]) / -(-len(labels[split]) // config['batch_size'])",
            ),
            "gradients not cleared": ("optimiser.zero_grad()", "pass"),
            "patience one more": ('patience=config["scheduler_patience"]', 'patience=config["scheduler_patience"] + 1'),
            "last of equal epochs": ('["acc"][-1] > best', '["acc"][-1] >= best'),
        },
    ),
]
LOOP = [
    *mutants(
        "lib.training.recipe:Recipe.optimiser",
        {
            "Adam's epsilon x 10": (
                "weight_decay=self.weight_decay)",
                "weight_decay=self.weight_decay, **({'eps': 1e-7} if self.algorithm == 'adam' else {}))",
            ),
            "weight decay dropped": ("weight_decay=self.weight_decay)", "weight_decay=0.0)"),
        },
    ),
    *mutants(
        "lib.training.selection:Selection.update",
        {
            "last of equal epochs": ("value < self.best_value", "value <= self.best_value"),
        },
    ),
    *mutants(
        "lib.training.loop:update",
        {
            "gradients not clipped": ("recipe.clip_norm is not None", "False"),
        },
    ),
    *mutants(
        "lib.training.objective:Objective.__init__",
        {
            "no positive weights": ('"positive_weights": weights', '"positive_weights": weights * 0 + 1'),
        },
    ),
    *mutants(
        "lib.training.loop:train_epoch",
        {
            "gradients not cleared": ("run.optimiser.zero_grad(set_to_none=True)", "pass"),
        },
    ),
]
METRICS, PRESENCE = "lib.metrics.scores", "lib.metrics.presence"
SCORES = [
    *mutants(
        f"{METRICS}:detected",
        {
            "threshold included": ("likelihood > threshold", "likelihood >= threshold"),
            "AUC of the logits": ("Detected(likelihood,", "Detected(-likelihood,"),
        },
    ),
    *mutants(
        f"{METRICS}:auc",
        {
            "ties of the AUC": ("rankdata(scores, axis=0)", "rankdata(scores, axis=0, method='min')"),
        },
    ),
    *mutants(
        f"{PRESENCE}:weighted_acc",
        {
            "recall of presence only": ("(recall_of_presence + recall_of_absence) / 2", "recall_of_presence"),
        },
    ),
    *mutants(
        f"{PRESENCE}:weighted_f1",
        {
            "F1 unweighted": ("true.mean(axis=0)", "0.5 + 0 * true.mean(axis=0)"),
        },
    ),
    *mutants(
        f"{METRICS}:found",
        {
            "false emotions do not count": ("~(false & before_false)", "~(false & False)"),
        },
    ),
]
RULES = {
    "class_weights": [
        *mutants(
            "lib.training.class_weights:positive_weights",
            {
                "present over absent": ("(len(labels) - present) / present", "present / (len(labels) - present)"),
                "absent over all": ("/ present", "/ len(labels)"),
            },
        ),
        *mutants(
            "lib.training.class_weights:class_shares",
            {
                "counts for shares": ("/ len(labels)", "/ 1"),
            },
        ),
    ],
    "dataset_rules": [
        *mutants(
            "lib.data.arrays.emotion_rules:intensities_to_labels",
            {
                "zero is present": ("> 0", ">= 0"),
            },
        ),
        *mutants(
            "lib.data.arrays.emotion_rules:without_minus_infinity",
            {
                "silence stays": ("np.zeros((), audio.dtype)", "np.full((), -1e-3, audio.dtype)"),
            },
        ),
        *mutants(
            "lib.data.arrays.emotion_rules:reference_shots",
            {
                "one shot less": (") + 1", ")"),
            },
        ),
        *mutants(
            "lib.data.arrays.emotion_rules:few_shot",
            {
                "last shots": ("np.cumsum(positive)", "np.cumsum(positive[::-1])[::-1]"),
            },
        ),
        *mutants(
            "lib.data.arrays.emotion_rules:without_emotion",
            {
                "column kept": ("np.delete(labels[kept], emotion", "np.delete(labels[kept], 1 - min(emotion, 1)"),
            },
        ),
        *mutants(
            "lib.data.arrays.emotion_rules:append_unseen",
            {
                "first step dropped": ("[chosen, :-1]", "[chosen, 1:]"),
            },
        ),
        *mutants(
            "lib.data.arrays.emotion_rules:pairs_to_labels",
            {
                "pairs the other way round": ("argmax", "argmin"),
            },
        ),
    ],
}


@pytest.mark.parametrize("mutant", RUN, ids=named)
def test_whole_run(mutant):
    assert_killed(mutant, check_run, "emotion_embeddings", "trainer")


@pytest.mark.parametrize("mutant", LOOP, ids=named)
def test_whole_run_through_the_loop(mutant):
    assert_killed(mutant, check_loop, "emotion_embeddings", "trainer")


@pytest.mark.parametrize("mutant", SCORES, ids=named)
def test_scores(mutant):
    assert_killed(mutant, check_metrics, "emotion_embeddings", "metrics")


@pytest.mark.parametrize(("kind", "mutant"), listed(RULES), ids=named)
def test_rules(kind, mutant):
    assert_killed(mutant, check_rules, "emotion_embeddings", kind)
