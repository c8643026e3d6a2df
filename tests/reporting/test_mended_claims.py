"""What a mend does to a claim: differences of differences, by hand."""

import numpy as np
import pandas as pd
import pytest

from lib.reporting import mended_claims
from lib.reporting.claims import named
from lib.reporting.gains import Side, average, between, difference
from lib.reporting.mended_claims import Comparison, sentences, table
from lib.reporting.two_sources import spread
from lib.reporting.verdicts import AS_CLAIMED, NO_DIFFERENCE, OPPOSITE, UNDECIDED
from lib.study import WithoutUnits

UNITS = ("a", "b", "c", "d")
BETTER, WORSE = named("spcl_raises_f1"), named("end_to_end_beats_handcrafted")


def side(name: str, values: list[float] | np.ndarray, units: tuple[str, ...] = UNITS) -> Side:
    """Scores by seed; of `(seeds, units)` means over units of one size, with what is left without each."""
    values = np.asarray(values, float)
    if values.ndim == 1:
        return Side(name, pd.Series(values))
    left = {seed: WithoutUnits("video", units, (row.sum() - row) / (len(row) - 1)) for seed, row in enumerate(values)}
    return Side(name, pd.Series(values.mean(axis=1)), left)


def drawn(name: str, seed: int) -> tuple[Side, np.ndarray]:
    values = 0.6 + 0.05 * np.random.default_rng(seed).normal(size=(4, len(UNITS)))
    return side(name, values), values


def compared(published, mended, claim=BETTER, **further) -> Comparison:
    options = {"quirk": "3", "mend": "masks", "margin": 0.01, "what": "ours over theirs"} | further
    return Comparison(claim=claim, published=published, mended=mended, **options)


OLD = side("ours", [0.60, 0.62, 0.61]), side("theirs", [0.60, 0.61, 0.63])  # differences 0, 0.01, -0.02
NEW = side("ours, mended", [0.68, 0.70, 0.69]), side("theirs, mended", [0.61, 0.62, 0.63])  # 0.07, 0.08, 0.06


def test_the_effect_is_the_difference_with_the_mend_less_that_as_published():
    (row,) = table([compared(OLD, NEW)], "acc").to_dict("records")
    assert row["published"] == pytest.approx(-0.01 / 3)
    assert row["mended"] == pytest.approx(0.07)
    assert row["gain"] == pytest.approx(np.mean([0.07, 0.07, 0.08]))  # by hand, seed by seed
    assert row["gain_std"] == pytest.approx(np.std([0.07, 0.07, 0.08], ddof=1))
    assert row["t_interval_low"] == pytest.approx(0.0733333 - 4.302653 * 0.0057735 / np.sqrt(3), abs=1e-6)
    assert (row["n"], row["sides"], row["answer"]) == (3, "both", "better")
    assert (row["published_verdict"], row["mended_verdict"], row["changes"]) == (UNDECIDED, AS_CLAIMED, "yes")


def test_of_an_error_an_effect_up_is_an_error_down():
    (row,) = table([compared(OLD, NEW)], "mae").to_dict("records")
    assert row["gain"] == pytest.approx(-np.mean([0.07, 0.07, 0.08]))
    assert row["mended_verdict"] == OPPOSITE


def test_a_side_that_the_mend_does_not_concern_falls_out():
    scores = np.array([0.08, 0.08, 0.08])
    (variant,) = table([compared(OLD, (NEW[0], OLD[1]))], "acc").to_dict("records")
    assert (variant["sides"], variant["gain"]) == ("variant", pytest.approx(scores.mean()))
    assert variant["gain"] == pytest.approx(between(NEW[0], OLD[0], "acc")["gain"])
    (baseline,) = table([compared(OLD, (OLD[0], NEW[1]))], "acc").to_dict("records")
    assert (baseline["sides"], baseline["gain"]) == ("baseline", pytest.approx(-0.02 / 3))
    assert baseline["gain"] == pytest.approx(-between(NEW[1], OLD[1], "acc")["gain"])
    for row in (variant, baseline):
        assert row["gain"] == pytest.approx(row["mended"] - row["published"])


def test_a_mend_that_concerns_neither_side_is_no_comparison():
    with pytest.raises(ValueError, match="masks concerns neither side of ours over theirs"):
        table([compared(OLD, OLD)], "acc")


def test_a_side_that_is_no_better_moves_the_verdict_of_a_claim_that_it_is_worse():
    (row,) = table([compared((OLD[1], NEW[0]), (NEW[0], OLD[0]), claim=WORSE)], "acc").to_dict("records")
    assert (row["published_verdict"], row["mended_verdict"]) == (AS_CLAIMED, OPPOSITE)


def test_the_combined_interval_is_that_of_the_paired_difference_of_differences():
    (a, x), (b, y), (c, z), (d, w) = (drawn(name, seed) for seed, name in enumerate(("a", "b", "a new", "b new")))
    (row,) = table([compared((a, b), (c, d))], "acc").to_dict("records")
    expected = spread([(z - w) - (x - y)])
    assert row["gain"] == pytest.approx(expected.mean)
    assert (row["combined_low"], row["combined_high"]) == pytest.approx(expected.combined.interval(expected.mean))
    assert (row["unit"], row["units"]) == ("video", 4)


def test_several_comparisons_have_a_mean_with_an_interval_of_its_own():
    (a, x), (b, _), (c, z), (d, w) = (drawn(name, seed) for seed, name in enumerate(("a", "b", "a new", "b new")))
    found = table([compared((a, b), (c, b), what="one"), compared((d, b), (c, b), what="two")], "acc")
    assert list(found["comparison"]) == ["one", "two", "mean of 2"]
    assert list(found["of"]) == [1, 1, 2]
    expected = spread([z - (x + w) / 2])
    row = found.iloc[-1]
    assert (row["gain"], row["sides"]) == (pytest.approx(expected.mean), "variant")
    assert (row["combined_low"], row["combined_high"]) == pytest.approx(expected.combined.interval(expected.mean))
    assert np.isnan(row["holm_p"]) and found["holm_p"][:2].notna().all()


def test_a_mean_is_of_the_seeds_and_units_that_all_have():
    one, other = side("one", [0.1, 0.2, np.nan]), side("other", [0.3, np.nan, 0.5])
    assert average([one, other]).scores.tolist()[:1] == pytest.approx([0.2])
    assert average([one, other]).scores.isna().tolist() == [False, True, True]
    four, other_units = side("four", np.ones((2, 4))), side("others", np.ones((2, 4)), ("e", "f", "g", "h"))
    assert set(average([four, four]).left) == {0, 1}
    assert average([four, other_units]).left == difference(four, other_units).left == {}


def test_the_margin_of_the_claim_decides_what_is_no_difference():
    still = side("ours, mended", [0.601, 0.619, 0.6105])
    for margin, said in ((0.01, NO_DIFFERENCE), (1e-4, UNDECIDED)):
        (row,) = table([compared(OLD, (still, OLD[1]), margin=margin)], "acc").to_dict("records")
        assert (row["margin"], row["answer"]) == (margin, said)


def test_the_sentence_names_the_verdicts_that_change():
    (said,) = sentences(table([compared(OLD, NEW, note="beside the claim")], "acc"))
    assert said.startswith(
        "Mend `masks`, ours over theirs (beside the claim): effect on the claim's difference, gain +0.07"
    )
    assert said.endswith("1 of 1 verdicts on the claim change: ours over theirs from undecided to as claimed.")
    assert sentences(table([], "acc")) == []
    assert mended_claims.table([], "acc").empty
