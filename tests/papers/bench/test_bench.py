"""What the bench compares, and what it says of it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.errors import InputError
from lib.metrics.scores import predicted_classes
from lib.papers.bench import comparisons, conclusions, study, tables
from lib.papers.bench import figures as drawn
from lib.reporting import seed_plan
from lib.reporting.verdicts import NO_DIFFERENCE, UNDECIDED
from lib.run_table import by_seed
from tests.papers.bench.bench_runs import STRATEGIES, given
from tests.papers.notebook_cells import run_cells
from tests.papers.planned_seeds import answering


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRISE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return study.study(given(tmp_path_factory.mktemp("bench"))).train()


@pytest.fixture(scope="module")
def outputs(runs):
    mine = [comparisons.of_corpus(runs, task.name) for task in runs.study.questions]
    return comparisons.by_subset([trained for each in mine for trained in study.asked(each)], 1)


def test_a_gain_is_over_plain_training_of_the_same_model_and_seed(runs):
    found = comparisons.over_plain(runs.study.p, runs)
    assert set(found["baseline"].str.endswith(", plain")) == {True}
    assert len(found) == 4 + 3  # LF-RNN has three strategies, LMF one; LateFusion three
    for row in found.to_dict("records"):
        scores = by_seed(comparisons.of_corpus(runs, row["dataset"]).table, row["metric"])
        assert row["baseline"] == f"{row['dataset']}: {row['model']}, plain"
        assert row["gain"] == pytest.approx((scores[row["variant"]] - scores[row["baseline"]]).mean())
        (task,) = (task for task in runs.study.questions if task.name == row["dataset"])
        assert (row["n"], row["units"]) == (3, len(task.corpus.splits["test"]))


def test_holm_is_over_all_corpora_of_a_table(runs):
    found = comparisons.over_plain(runs.study.p, runs).dropna(subset="combined_p")
    assert set(found["dataset"]) == set(runs.study.p.datasets)
    least = found.loc[found["combined_p"].idxmin()]
    assert least["holm_p"] == pytest.approx(min(1, len(found) * least["combined_p"]))


def test_margins_of_the_run_decide(runs):
    wide = runs.study.p.model_copy(update={"margins": given(margins={"score": 5.0}).margins})
    found = comparisons.over_plain(wide, runs)
    assert set(found["margin"]) == {5.0}
    assert set(found["answer"]) <= {NO_DIFFERENCE, "better", "worse"}
    assert UNDECIDED in set(comparisons.over_plain(runs.study.p, runs)["answer"])


def test_an_absent_modality_is_zeros_at_the_input_or_a_silent_encoder(runs, outputs):
    """Asked here of the network itself; LMF's slot keeps its constant 1."""
    for kind, encoder in (("LF-RNN, plain", None), ("LMF, plain", "text_subnet")):
        task, _, record = next(run for run in runs.done if run[2].variant == f"iemocap_like: {kind}")
        (trained,) = runs.trained([record.variant], encoders={"text": encoder} if encoder else None)[:1]
        split = task.corpus.batches("test")
        inputs = {m: x.clone() for m, x in split.inputs.items()}
        if encoder:
            trained.model.get_submodule(encoder).register_forward_hook(lambda module, args, out: out * 0)
        else:
            inputs["text"] *= 0
        expected = trained.model(**inputs).detach().numpy()
        found = outputs[record.variant, record.seed][frozenset({"audio", "video"})]
        np.testing.assert_allclose(found, expected, atol=1e-6)
        everything = outputs[record.variant, record.seed][frozenset(inputs)]
        assert np.array_equal(everything, record.outputs["test"])


def test_scores_without_a_modality_stand_beside_those_with_all(runs, outputs):
    left = tables.without_scores(runs, outputs)
    assert len(left) == 3 * len(set(runs.table["variant"]))
    row = left[(left["absent"] == "audio") & (left["model"] == "LMF") & (left["strategy"] == "plain")].iloc[0]
    mine = comparisons.of_corpus(runs, row["dataset"])
    labels = mine.study.tasks[0].corpus.splits["test"].labels
    rest = frozenset({"text", "video"})
    hits = [
        np.mean(predicted_classes(out[rest]) == labels)
        for (name, _), out in outputs.items()
        if name == "iemocap_like: LMF, plain"
    ]
    assert row["score"] == pytest.approx(np.mean(hits))
    assert row["change"] == pytest.approx(row["score"] - row["score_all"])


def test_gains_without_a_modality_are_those_of_the_changed_outputs(runs, outputs):
    found = comparisons.without_each(runs.study.p, runs, outputs)
    assert len(found) == 3 * len(comparisons.over_plain(runs.study.p, runs))
    assert set(found["absent"]) == {"text", "audio", "video"}
    left = tables.without_scores(runs, outputs).set_index("variant")["score"]
    for row in found.to_dict("records"):
        assert row["gain"] == pytest.approx(left[row["variant"]] - left[row["baseline"]])


def test_a_corpus_whose_trainings_are_all_lost_leaves_the_others_their_gains(runs, outputs):
    kept = comparisons.names(runs)[0]
    names = {record.variant for task, _, record in runs.done if task.name == kept}
    left = {about: found for about, found in outputs.items() if about[0] in names}
    found = comparisons.without_each(runs.study.p, runs, left)
    assert set(found["dataset"]) == {kept}
    assert set(comparisons.without_each(runs.study.p, runs, outputs)["dataset"]) > {kept}


def test_shares_add_up_to_all_minus_none(runs, outputs):
    mine = comparisons.of_corpus(runs, "iemocap_like")
    found = tables.shares(mine, study.asked(mine), outputs)
    for _, rows in found.groupby("model"):
        assert rows["share_mean"].sum() == pytest.approx(rows["score_all"].iloc[0] - rows["score_none"].iloc[0])


def test_a_mean_that_differs_from_the_constant_by_its_rounding_is_not_worse():
    constant = 7 / 30
    floor = pd.DataFrame([{"dataset": "c", "prediction": "the commonest class", "metric": "acc", "score": constant}])
    score = [constant, np.nextafter(constant, 0), constant - 1 / 30, constant + 1 / 30]
    (said,) = conclusions.floors(pd.DataFrame({"dataset": "c", "score": score}), floor)
    assert said.endswith("means of 4 methods reach 0.2667, and 1 of them are worse than that.")


def test_costs_count_every_weight_and_epoch(runs):
    found = tables.costs(runs).set_index("variant")
    for _, member in runs.study.members:
        assert found.loc[member.variant, "parameters"] == sum(w.numel() for w in member.model.build().parameters())
    assert set(found["epochs"]) == {runs.study.p.epochs}
    assert (found["seconds_per_epoch"] > 0).all()


SCORES = pd.DataFrame(
    [
        (corpus, f"{corpus}: {method}", metric, score)
        for corpus, metric, by in (
            ("iemocap_like", "acc", {"A": 0.9, "B": 0.5, "C": 0.4}),
            ("mosi_like", "mae", {"A": 0.5, "B": 0.9}),
            ("iemocap_conversations_like", "weighted_f1", {"D": 0.5, "E": 0.4}),
        )
        for method, score in by.items()
    ],
    columns=["dataset", "variant", "metric", "score"],
)


def test_ranks_are_of_methods_that_ran_on_every_corpus_of_a_kind():
    """An error counts the other way round; dialogues have one corpus here, so no ranks."""
    found = tables.rankings(SCORES)
    assert set(found) == {"corpora of utterances"}
    assert found["corpora of utterances"].mean_ranks == {"A": 1.0, "B": 2.0}
    assert tables.rankings(SCORES[SCORES["dataset"] != "mosi_like"]) == {}
    assert conclusions.ranks({}) == [
        "No ranks: they need two corpora of one kind, and two methods that ran on all of them."
    ]


def test_the_front_is_what_nothing_beats_in_both():
    table = pd.DataFrame({"parameters": [10, 20, 20, 30, 40], "score": [0.5, 0.7, 0.6, 0.7, np.nan]})
    assert drawn.front(table, "parameters", "acc")["score"].tolist() == [0.5, 0.7]
    assert drawn.front(table, "parameters", "mae")["score"].tolist() == [0.5]


def row(strategy, answer, *, absent="", corpus="here", p=0.5):
    said = {"strategy": strategy, "answer": answer, "absent": absent, "dataset": corpus, "holm_p": p}
    return said | {"model": "M", "optimiser": "SGD"}


def test_sentences_follow_the_verdicts():
    over = pd.DataFrame([row("one", "better", p=0.01), row("one", UNDECIDED, corpus="there"), row("two", "worse")])
    absent = pd.DataFrame([row("one", "worse", absent="audio"), row("two", NO_DIFFERENCE, absent="audio")])
    said = conclusions.where_it_helps(over, absent)
    assert said[0] == (
        "one against plain training: with all modalities better in 1 of 2 (M on here under SGD, also after Holm), "
        "undecided in 1 of 2; with one absent at test time worse in 1 of 1 (M on here without audio under SGD)."
    )
    assert said[-1] == (
        "In short, by the intervals that decide, better than plain training somewhere: one (here); "
        "worse somewhere: one (here), two (here). Of these 3 answers 1 outlasts Holm's adjustment."
    )
    none = conclusions.where_it_helps(over.assign(answer=UNDECIDED), pd.DataFrame())
    assert none[-1] == "In short, by the intervals that decide, neither anywhere: one, two."
    assert "nothing can be said" in conclusions.where_it_helps(pd.DataFrame(), pd.DataFrame())[0]


def test_a_bench_of_one_modality_or_without_strategies_has_no_gains(tmp_path, monkeypatch):
    found = run_cells("bench", tmp_path, monkeypatch, strategies=[], datasets=["iemocap_like"], of_corpus={})
    assert "nothing can be said of the papers' ideas" in found.text
    assert not (tmp_path / "tables" / "gains.csv").exists()
    assert "No ranks" in found.text


def test_the_notebook_leaves_every_table_and_a_manifest(tmp_path, monkeypatch):
    found = run_cells("bench", tmp_path, monkeypatch)
    names = {path.stem for path in (tmp_path / "tables").glob("*.csv")}
    assert names >= {"scores", "costs", "ranks", "gains", "gains_absent", "scores_absent", "not_run", "floor"}
    figures = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert figures >= {"ranks_corpora_of_utterances", "pareto_mosi_like", "forest_iemocap_like"}
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["run"]["selected_on"]["epoch"] == "validation loss"
    assert "In short, by the intervals that decide" in found.text
    assert found.table("corpora")["dataset"].tolist() == ["iemocap_like", "mosi_like", "iemocap_conversations_like"]


def test_planned_seeds_are_those_that_the_gains_ask_for(tmp_path, monkeypatch):
    """Answers that are right but for a few, other ones for each seed."""

    def answers(member, rng):
        task = next(task for task, each in asked.members if each.variant == member.variant)
        labels = task.corpus.splits["test"].labels
        wrong = rng.random(len(labels)) < 0.05
        return np.eye(len(task.corpus.label_names))[np.where(wrong, 0, labels)]

    options = {"datasets": ["iemocap_like"], "of_corpus": {}, "models": [{"model": "lf_rnn", "hidden": 4}]}
    options |= {"strategies": STRATEGIES[:1], "seeds": "auto", "most_seeds": 12}
    asked = study.study(given(tmp_path, **options))
    trained = answering(monkeypatch, {}, answers)
    runs = study.study(given(tmp_path, **options)).train()
    (told,) = seed_plan.table(runs).to_dict("records")
    assert told["comparison"] == "iemocap_like: LF-RNN, modality dropout 0.5 against iemocap_like: LF-RNN, plain"
    assert told["run"] == len(runs.study.p.seeds) >= 5
    assert {seed for _, seed in trained} == set(runs.study.p.seeds)


def test_real_and_synthetic_corpora_are_not_mixed(monkeypatch, tmp_path):
    """A corpus that somebody brought may be synthetic whatever its name is."""
    p = given(tmp_path, datasets=["iemocap_like", "mosi_like"], of_corpus={})
    real = study._read

    def read(p, dataset, options):
        corpus = real(p, dataset, options)
        return replace(corpus, source=replace(corpus.source, synthetic=dataset == "mosi_like"))

    monkeypatch.setattr(study, "_read", read)
    with pytest.raises(InputError, match="real and synthetic corpora in one run"):
        study.load(p)


def test_nothing_that_fits_is_one_line(tmp_path):
    p = given(tmp_path, datasets=["iemocap_like"], of_corpus={}, models=[{"model": "biddin", "hidden": 4}])
    with pytest.raises(InputError) as caught:
        study.study(p)
    assert str(caught.value).startswith("models: no model can take any of the corpora; the first reads dialogues")
