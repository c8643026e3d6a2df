"""The published numbers of co-learning, and the paper's claim in them."""

from pathlib import Path

import pytest

from lib.reporting import published
from lib.reporting.gains import gain_table
from lib.run_table import by_seed

PUBLISHED = Path(__file__).parents[3] / "lib/papers/colearning/published.csv"
CLASSES = ("fea", "neu", "ang", "fru", "exc", "sur", "hap", "sad")
RATES = ("rate 0", "rate 0.15", "rate 0.4", "rate 0.6", "rate 0.8", "rate 0.9", "rate 0.95")


def test_five_repeats_of_seven_rates_and_the_unimodal_variant():
    runs = published.runs(PUBLISHED, "iemocap")
    assert len(runs) == 8 * 3 * 5
    assert by_seed(runs, "acc").loc[0, "rate 0"] == 0.28488372093023256
    assert by_seed(runs, "acc").index.tolist() == [0, 1, 2, 3, 4]
    assert runs["variant"].unique().tolist() == [*RATES, "text only"]
    assert set(runs["metric"]) == {"acc", "cross_entropy", "weighted_f1_swapped"}
    assert set(published.runs(PUBLISHED, "mosi")["metric"]) == {"acc2_nonneg", "mae", "f1_rounded_swapped"}
    assert runs["published_in"].unique().tolist() == [
        "repo nmagal/modality_drop_for_colearning results/co_learning_bilstm_im"
    ]


def test_the_stored_run_and_its_recalls():
    """Its outputs and confusion matrices are stored; it is none of the five repeats (quirk 17)."""
    numbers = published.runs(PUBLISHED, "iemocap, stored run").set_index(["variant", "metric"])["value"]
    assert numbers["rate 0", "weighted_f1"] == 0.08388
    recalls = [numbers["rate 0", f"recall_{name}"] for name in CLASSES]
    support = [numbers["test set", f"support_{name}"] for name in CLASSES]
    assert sum(support) == 860
    # the diagonal gives the accuracy: 192 neutral and one frustrated utterance are right at rate 0
    assert sum(recall * n for recall, n in zip(recalls, support, strict=True)) == pytest.approx(193, abs=0.01)


@pytest.mark.parametrize(
    ("corpus", "metric", "baseline", "expected"),
    [
        ("iemocap", "acc", "text only", (-0.1807, -0.09163, -0.04326, -0.00953, 0.01116, -0.00163, -0.01093)),
        ("iemocap", "acc", "rate 0", (None, 0.08907, 0.13744, 0.17116, 0.19186, 0.17907, 0.16977)),
        ("mosi", "acc2_nonneg", "text only", (0.00437, 0.0137, 0.00933, 0.0102, 0.00496, 0.01108, -0.00146)),
        ("mosi", "acc2_nonneg", "rate 0", (None, 0.00933, 0.00496, 0.00583, 0.00058, 0.00671, -0.00583)),
        ("mosi", "mae", "text only", (0.01529, 0.01609, 0.01965, 0.03191, 0.00501, 0.04141, 0.00483)),
    ],
)
def test_gains_of_the_published_repeats(corpus, metric, baseline, expected):
    """Computed from the authors' five result files, apart from this code."""
    gains = gain_table(published.runs(PUBLISHED, corpus), metric, baseline).set_index("variant")["gain"]
    wanted = {rate: gain for rate, gain in zip(RATES, expected, strict=True) if gain is not None}
    assert gains[list(wanted)].to_dict() == pytest.approx(wanted, abs=5.1e-6)


def test_the_paper_s_claim_under_both_rules():
    rows = gain_table(published.runs(PUBLISHED, "iemocap"), "acc", "text only").set_index("variant")
    assert rows["verdict"].to_dict() == {
        "rate 0": "negative",
        "rate 0.15": "negative",
        "rate 0.4": "negative",
        "rate 0.6": "neutral",
        "rate 0.8": "positive",
        "rate 0.9": "neutral",
        "rate 0.95": "neutral",
    }
    assert rows["seeds_better"].tolist() == [0, 0, 0, 0, 5, 2, 1]
    assert rows.index[rows["paper_rule"] == "positive"].tolist() == ["rate 0.8"]
