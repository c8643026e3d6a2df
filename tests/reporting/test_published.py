"""The published numbers and the verdicts of the comparison."""

import numpy as np
import pandas as pd
import pytest

from lib.data.corpus import Source
from lib.errors import InputError
from lib.reporting.published import (
    FEWER_MODALITIES,
    TEXT_ONLY,
    VERDICT_RULE,
    allowance,
    by_emotion,
    compare,
    compare_groups,
    runs,
)
from lib.run_table import checked
from tests.reporting.tables_of_runs import runs_of

REAL = Source("corpus_a", synthetic=False, files={}, licence="", split_rule="")
STAND_IN = Source("corpus_b", synthetic=True, files={}, licence="", split_rule="")
SPREAD = np.array([-0.01, 0.01, 0.0, -0.005, 0.005])


def verdicts(paper, ours, *, source=REAL, same_corpus=True, metric="acc", **options):
    table = compare(
        runs_of(paper, metric),
        runs_of(ours, metric),
        metric=metric,
        baseline="text only",
        source=source,
        same_corpus=same_corpus,
        **options,
    )
    return table.set_index(["variant", "quantity"])


HEADER = "corpus,variant,seed,split,metric,value,selected_on,status,published_in"


def numbers(tmp_path, *rows, header=HEADER):
    path = tmp_path / "published.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def test_a_published_number_is_a_run(tmp_path):
    path = numbers(
        tmp_path,
        "a,LMF,0,test,mae,0.8420000000000001,valid,published,Table 2",
        "a,two,0,test,mae,0,not stated,published,",
        "b,LMF,0,test,mae,1,valid,published,Table 3",
    )
    table = checked(runs(path, "a"))
    assert table["value"].tolist() == [0.8420000000000001, 0.0]
    assert table["published_in"].tolist() == ["Table 2", ""]
    assert table["rate"].isna().all() and set(table["best_epoch"]) == {-1}
    assert runs(path, "c").empty
    rated = numbers(
        tmp_path, "a,rate 0.8,0.8,0,test,acc,0.5,valid,published,x", header=HEADER.replace(",s", ",rate,s", 1)
    )
    assert runs(rated, "a")["rate"].tolist() == [0.8]


def test_damaged_run_tables_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such table"):
        runs(tmp_path / "published.csv", "a")
    with pytest.raises(InputError, match="no column split, metric"):
        runs(numbers(tmp_path, header="corpus,variant,seed,value,selected_on,status,published_in"), "a")
    for value in ("28 or so", ""):
        path = numbers(tmp_path, "a,x,0,test,acc,0.5,valid,published,", f"a,y,0,test,acc,{value},valid,published,")
        with pytest.raises(InputError, match=f"row 3: value .*{value or 'nan'}.* is no number"):
            runs(path, "a")
    (tmp_path / "published.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not readable as csv"):
        runs(tmp_path / "published.csv", "a")


def test_groups_are_compared_with_their_own_baselines():
    paper = runs_of({"x": [0.5], "x2": [0.6], "y": [0.3], "y2": [0.2], "not run": [0.1]})
    ours = runs_of({"x": [0.5], "x2": [0.7], "y": [0.3], "y2": [0.2], "z": [0.1]})
    options = {"metric": "acc", "source": REAL, "same_corpus": True}
    table = compare_groups(
        paper, ours, {"x": ("x", "x2"), "not run": ("not run",), "z": ("z",), "y": ("y", "y2")}, **options
    )
    assert "rate" not in table
    assert table[["variant", "quantity"]].agg(" ".join, axis=1).tolist() == [
        *("x acc", "x2 acc", "x2 gain over x"),
        *("y acc", "y2 acc", "y2 gain over y"),
    ]
    assert compare_groups(paper, ours, {"z": ("z",)}, **options).empty
    rated = runs_of({"rate 0": [0.5], "text only": [0.6]})
    assert list(compare_groups(rated, rated, {"text only": None}, **options)["rate"].dropna()) == [0.0, 0.0]


def test_allowance_by_hand():
    assert allowance(0.02, 4, 0.03, 9, 0.005) == pytest.approx(2 * np.sqrt(0.0001 + 0.0001))
    assert allowance(0.0001, 5, 0.0001, 5, 0.005) == 0.005
    assert allowance(np.nan, 1, 0.02, 4, 0.0) == pytest.approx(2 * np.sqrt(0.0004 + 0.0001))
    assert allowance(0.02, 4, np.nan, 1, 0.0) == pytest.approx(2 * np.sqrt(0.0001 + 0.0004))
    assert allowance(np.nan, 1, np.nan, 1, 0.005) == 0.005


def test_a_paper_reproduces_itself():
    scores = {"rate 0": 0.3 + SPREAD, "text only": 0.5 + SPREAD[::-1]}
    table = verdicts(scores, scores)
    assert table["verdict"].tolist() == ["reproduced"] * 3
    assert (table["difference"] == 0.0).all()


def test_joined_columns_by_hand():
    row = verdicts(
        {"rate 0": [0.3, 0.4], "text only": [0.5, 0.5]}, {"rate 0": [0.3, 0.2, 0.1], "text only": [0.5, 0.6, 0.5]}
    ).loc[("rate 0", "acc")]
    assert row[["paper", "reproduced", "difference"]].tolist() == pytest.approx([0.35, 0.2, -0.15])
    assert row[["paper_std", "reproduced_std"]].tolist() == pytest.approx([np.sqrt(0.005), 0.1])
    assert row[["paper_n", "reproduced_n"]].tolist() == [2, 3]
    assert row[["paper_gain", "reproduced_gain"]].tolist() == pytest.approx([-0.15, -1 / 3])
    assert row["allowance"] == pytest.approx(2 * np.sqrt(0.005 / 2 + 0.01 / 3))


def test_direction_only_needs_the_sign_with_an_interval():
    paper = {"rate 0": 0.3 + SPREAD, "text only": 0.5 + SPREAD[::-1]}
    lower = verdicts(paper, {"rate 0": 0.5 + SPREAD, "text only": 0.6 + SPREAD[::-1]})
    assert lower.loc[("rate 0", "acc"), "verdict"] == "direction only"
    assert lower.loc[("rate 0", "gain over text only"), "verdict"] == "direction only"
    assert lower.loc[("text only", "acc"), "verdict"] == "not reproduced"  # a baseline has no direction
    noisy = verdicts(paper, {"rate 0": 0.58 + 3 * SPREAD, "text only": 0.6 - 3 * SPREAD})
    assert noisy.loc[("rate 0", "acc"), "verdict"] == "not reproduced"
    higher = verdicts(paper, {"rate 0": 0.7 + SPREAD, "text only": 0.6 + SPREAD[::-1]})
    assert higher.loc[("rate 0", "acc"), "verdict"] == "not reproduced"


def test_a_claimed_gain_is_not_reproduced_by_noise():
    """A wide allowance must not turn a gain that we do not see into a reproduced one."""
    paper = {"rate 0.8": 0.52 + SPREAD, "text only": 0.5 + SPREAD}
    noisy = verdicts(paper, {"rate 0.8": 0.51 + 4 * SPREAD, "text only": 0.5 - 4 * SPREAD})
    gain = noisy.loc[("rate 0.8", "gain over text only")]
    assert abs(gain["difference"]) < gain["allowance"] and gain["verdict"] == "not reproduced"
    assert noisy.loc[("rate 0.8", "acc"), "verdict"] == "reproduced"
    # where the paper's own interval holds 0 there is no direction to miss
    unclear = {"rate 0.8": 0.51 + SPREAD, "text only": 0.5 - SPREAD}
    table = verdicts(unclear, {"rate 0.8": 0.499 + SPREAD, "text only": 0.5 - SPREAD})
    assert table.loc[("rate 0.8", "gain over text only"), "verdict"] == "reproduced"


def test_direction_of_mae():
    paper = {"rate 0.8": 0.9 + SPREAD, "text only": 1.0 + SPREAD[::-1]}
    table = verdicts(paper, {"rate 0.8": 1.2 + SPREAD, "text only": 1.3 + SPREAD[::-1]}, metric="mae")
    assert table.loc[("rate 0.8", "mae"), "paper_gain"] == pytest.approx(0.1)
    assert table.loc[("rate 0.8", "mae"), "verdict"] == "direction only"


def test_single_printed_numbers():
    paper = {"rate 0.8": [0.7], "text only": [0.5]}
    table = verdicts(paper, {"rate 0.8": 0.69 + SPREAD, "text only": 0.5 + SPREAD[::-1]})
    assert table.loc[("rate 0.8", "acc"), "verdict"] == "reproduced"
    assert np.isnan(table.loc[("rate 0.8", "acc"), "paper_std"])
    assert table.loc[("rate 0.8", "gain over text only"), "verdict"] == "reproduced"
    one_seed = verdicts(paper, {"rate 0.8": [0.8], "text only": [0.5]})
    assert one_seed.loc[("rate 0.8", "acc"), "verdict"] == "not reproduced"  # no interval, no direction


def test_what_is_not_comparable_never_gets_a_verdict_or_a_difference():
    scores = {"rate 0": 0.3 + SPREAD, "text only": 0.5 + SPREAD[::-1]}
    for options, why in (
        ({"source": STAND_IN}, "stand-in data"),
        ({"source": STAND_IN, "same_corpus": False}, "stand-in data, different corpus"),
        ({"same_corpus": False}, "different corpus"),
        ({"deviations": ("5 epochs instead of 40",)}, "5 epochs instead of 40"),
    ):
        table = verdicts(scores, scores, **options)
        assert set(table["verdict"]) == {f"not comparable: {why}"}
        assert table["difference"].isna().all() and table["allowance"].isna().all()
        assert table["reproduced"].notna().all()


def test_fewer_modalities_stand_beside_the_paper_without_a_verdict():
    """Equal scores too: what reads less than the paper's models reproduces nothing."""
    paper = {"rate 0": 0.3 + SPREAD, "text only": 0.5 + SPREAD[::-1]}
    ours = {"rate 0": 0.3 + SPREAD, "text only": 0.4 + SPREAD[::-1], "mine": 0.1 + SPREAD}
    table = verdicts(paper, ours, fewer=TEXT_ONLY, deviations=("other word vectors",))
    there = table.drop("mine", level="variant")
    said = "same utterances, labels and split; text only, the paper had three modalities, other word vectors"
    assert set(there["verdict"]) == {f"fewer modalities: {said}"}
    assert there["difference"].to_numpy() == pytest.approx([0.0, 0.1, -0.1])
    assert there["allowance"].isna().all()
    assert set(table.loc["mine", "verdict"]) == {"not comparable: not published"}
    assert table.loc["mine", "difference"].isna().all()


def test_fewer_modalities_of_another_corpus_or_a_stand_in_are_not_comparable():
    scores = {"rate 0": 0.3 + SPREAD, "text only": 0.5 + SPREAD[::-1]}
    for options, why in (
        ({"same_corpus": False}, "different corpus"),
        ({"source": STAND_IN}, "stand-in data"),
    ):
        table = verdicts(scores, scores, fewer=TEXT_ONLY, **options)
        assert set(table["verdict"]) == {f"not comparable: {why}"}
        assert table["difference"].isna().all()


def test_variants_of_one_side_only_are_kept():
    paper = {"rate 0": 0.3 + SPREAD, "text only": 0.5 + SPREAD}
    ours = {"rate 0.7": 0.4 + SPREAD, "text only": 0.5 + SPREAD}
    table = verdicts(paper, ours)["verdict"]
    assert table[("rate 0", "acc")] == "not comparable: not run"
    assert table[("rate 0.7", "acc")] == "not comparable: not published"
    assert table[("text only", "acc")] == "reproduced"
    failed = verdicts(paper, {"rate 0": [None, None], "text only": [0.5, 0.51]})["verdict"]
    assert failed[("rate 0", "acc")] == "not comparable: not run"


def test_rule_names_every_verdict():
    for word in ("not comparable:", "reproduced:", "direction only:", "not reproduced:"):
        assert word in VERDICT_RULE
    assert FEWER_MODALITIES.removesuffix("; ") in VERDICT_RULE


def test_a_whole_table_has_every_model_and_no_comparison():
    def rows(variant: str, seeds: int, **scores: float) -> list[dict]:
        about = {"variant": variant, "split": "test"}
        return [about | {"seed": s, "metric": m, "value": v + s} for s in range(seeds) for m, v in scores.items()]

    paper = pd.DataFrame(rows("A", 1, f1_sad=0.5, f1=0.6) + rows("B", 1, f1_sad=0.25, f1_happy=0.75, f1=0.5, acc=1.0))
    ours = pd.DataFrame(rows("A", 2, f1_sad=0.25, f1_happy=0.5, f1=0.375))
    ours = pd.concat([ours, ours.assign(split="valid", value=9.0)])
    found = by_emotion(paper, ours, "f1", ["happy", "sad"], theirs_read="text, audio", ours_read="text")
    assert found[["model", "whose", "read", "n"]].to_numpy().tolist() == [
        ["A", "published", "text, audio", 1],
        ["B", "published", "text, audio", 1],
        ["A", "here", "text", 2],
    ]
    np.testing.assert_array_equal(
        found[["happy", "sad", "average"]].to_numpy(), [[np.nan, 0.5, 0.6], [0.75, 0.25, 0.5], [1.0, 0.75, 0.875]]
    )
