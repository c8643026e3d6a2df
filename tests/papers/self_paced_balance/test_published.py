"""The published gains and claims of SPCL (spec self_paced_balance, section 5)."""

from pathlib import Path

from lib.reporting import published

PUBLISHED = Path(__file__).parents[3] / "lib/papers/self_paced_balance/published.csv"


def test_gains_of_three_modalities_over_two():
    """The legend of the figure calls the second pair A+V, the caption in the same image TV; the legend is followed."""
    gains = published.runs(PUBLISHED, "iemocap").set_index(["variant", "metric"])["value"]
    assert len(gains) == 2 + 4 * 2 * 2
    assert gains["two modalities", "weighted_f1"] == 0  # what a gain is measured against
    assert gains["DialogueGCN: atv over at", "weighted_f1"] == -1.18
    assert gains["MMGCN: atv over av", "acc"] == 3.53


def test_improvements_that_the_abstract_claims():
    claimed = published.runs(PUBLISHED, "abstract").set_index(["variant", "metric"])["value"]
    assert claimed.to_dict() == {
        ("IEMOCAP", "smallest claimed w-F1 improvement (approx.)"): 1.2,
        ("IEMOCAP", "largest claimed w-F1 improvement (approx.)"): 6.6,
        ("MELD", "largest claimed w-F1 improvement"): 10.4,
    }
