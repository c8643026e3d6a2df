"""Recorded sound against hand-crafted features of the same clips, the baselines also with a face by frame."""

import numpy as np
import pytest

from lib import data, params
from lib.data.ravdess import ravdess_frames
from lib.data.ravdess.action_units import NAMES
from lib.data.ravdess.clips import Clip, release, sound_of
from lib.data.ravdess.ravdess_frames import FPS
from lib.data.ravdess.ravdess_frames_handcrafted import WORDS
from lib.errors import InputError
from lib.papers.end_to_end import EndToEnd, tables
from lib.papers.end_to_end import study as e2e
from tests.data.ravdess.test_ravdess import tone, write_wav
from tests.data.ravdess.test_ravdess_frames import table_of, write_table
from tests.papers.end_to_end.test_end_to_end_folds import GIVEN, SETTING
from tests.papers.notebook_cells import run_cells

FRAMES = GIVEN | {
    "dataset": "ravdess_frames_raw",
    "models": {"mme2e": SETTING, "lf_rnn": SETTING, "lf_transformer": SETTING},
    "alone": [],
    "handcrafted_alone": ["video"],
    "thresholds": [],
    "seeds": [1, 0, 6],
}
BOTH_WAYS = ["LF-LSTM", "LF-TRANS", "LF-LSTM, with video", "LF-TRANS, with video"]


def of_five() -> list[Clip]:
    """Every emotion of every actor once, both sentences."""
    kept = {(a, e): f"03-01-{e:02}-01-{1 + e % 2:02}-01-{a:02}" for a in ravdess_frames.ACTORS for e in range(1, 9)}
    return [clip for clip in release() if clip.id in kept.values()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("frames")
    for number, clip in enumerate(of_five()):
        seconds = 0.5 + 0.1 * (number % 5)
        write_wav(sound_of(clip, root / "data/ravdess"), tone(clip, seconds))
        frames = np.zeros((round(seconds * FPS), len(NAMES)))
        frames[:, 0], frames[:, 1] = np.arange(len(frames)) / 10, clip.emotion / 2
        write_table(table_of(clip, root / "data"), frames)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRISE_CACHE", str(root / "cache"))
        yield root


def checked(folder, **changes) -> EndToEnd:
    given = FRAMES | {"results": str(folder / "run"), "data_root": str(folder / "data")} | changes
    return params.check(EndToEnd, given, where="test")


@pytest.fixture(scope="module")
def trained(folder):
    p = checked(folder)
    corpora = e2e.load_corpora(p)
    return p, corpora, e2e.study(p, corpora).train()


def test_features_are_those_of_the_frames_and_as_long_as_the_clip(folder):
    root = folder / "data"
    corpus = data.load("ravdess_frames_handcrafted", root, fold=2, step_ms=100)
    frames = data.load("ravdess_frames", root, fold=2, step_ms=100, steps=30)
    by_id = {clip.id: clip for clip in of_five()}
    for name, split in corpus.splits.items():
        padded = frames.splits[name]
        assert split.ids == padded.ids
        assert (split.labels.argmax(axis=1) == padded.labels).all() and (split.labels.sum(axis=1) == 1).all()
        for row, sequence in enumerate(split.sequences):
            for modality in ("audio", "video"):
                assert len(sequence[modality]) == padded.lengths[row]
                np.testing.assert_array_equal(
                    sequence[modality], padded.features[modality][row, -len(sequence["audio"]) :]
                )
            said = [WORDS[place] for place in sequence["text"].argmax(axis=1)]
            assert " ".join(said) == by_id[split.ids[row]].sentence.lower()
    assert corpus.source.split_rule == "fold 2 of 5 by actor: 3 tested, 4 validated"
    assert "none stated for the action units" in corpus.source.licence


def test_what_identifies_the_features_follows_them(folder):
    root = folder / "data"
    digests = {
        data.load("ravdess_frames_handcrafted", root, fold=f, step_ms=ms).digest for f in (0, 1) for ms in (100, 125)
    }
    assert len(digests) == 4


def test_recordings_and_features_have_the_same_clips_in_each_turn(trained):
    p, corpora, _ = trained
    actors = {clip.id: clip.actor for clip in of_five()}
    for seed in p.seeds:
        raw, features = corpora.of("mme2e", seed), corpora.of("lf_rnn", seed)
        for split in raw.splits:
            assert raw.splits[split].ids == features.splits[split].ids
        assert {actors[key] for key in raw.splits["test"].ids} == set(ravdess_frames.folds(seed % 5)["test"])
    assert corpora.of("mme2e", 1) is corpora.of("mme2e", 6) is corpora.raw
    assert corpora.of("lf_rnn", 1) is corpora.of("lf_rnn", 6) is corpora.handcrafted
    listed = tables.corpus_table(p, corpora)
    assert listed["by"].nunique() == 2 and (listed["with_features"] == listed["utterances"]).all()
    assert p.corpora() == ("ravdess_frames_raw", "ravdess_frames_handcrafted")


def test_baselines_are_trained_without_and_with_the_face(trained):
    p, _, runs = trained
    assert e2e.main_variants(p) == ["FE2E", *BOTH_WAYS]
    given = {member.variant: (member.train_on, member.model.arguments["modalities"]) for _, member, _ in runs.done}
    assert given["FE2E"] == given["LF-LSTM"] == (("text", "audio"), ["text", "audio"])
    assert given["LF-LSTM, with video"] == (("text", "audio", "video"), ["text", "audio", "video"])
    compared = tables.handcrafted_table(runs)
    sides = list(dict.fromkeys(zip(compared["variant"], compared["baseline"], strict=True)))
    assert sides == [
        *(("FE2E", base) for base in BOTH_WAYS),
        *((f"{base}, with video", base) for base in BOTH_WAYS[:2]),
    ]
    assert set(compared["units"]) == {2} and (compared["folds"] == 2).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "ravdess_raw", "models": {"mme2e": SETTING}},
        {"models": {"mme2e": SETTING}},
        {"handcrafted_alone": ["audio"]},
        {"modalities": ["audio"], "handcrafted_alone": ["text"]},
        {"handcrafted_alone": ["video", "video"]},
    ],
)
def test_only_what_features_alone_have_can_be_theirs(folder, changes):
    with pytest.raises(InputError, match="handcrafted_alone"):
        checked(folder, **changes)


def test_baselines_alone_need_no_recordings(folder):
    p = checked(folder, models={"lf_rnn": SETTING}, seeds=[3])
    corpora = e2e.load_corpora(p)
    assert corpora.raw is None and corpora.any is corpora.handcrafted is corpora.of("lf_rnn", 3)
    assert corpora.test_labels().shape == (len(corpora.handcrafted.splits["test"]), 8)


def test_the_whole_notebook(folder, monkeypatch):
    given = FRAMES | {"data_root": str(folder / "data"), "models": FRAMES["models"] | {"mme2e_sparse": SETTING}}
    finished = run_cells("end_to_end_sparse", folder / "notebook", monkeypatch, **given)
    for name in ("recordings of sound, five actors", "five actors, by frame"):
        assert name in finished.text
    assert "OpenFace's action units of each frame" in finished.text
    assert set(finished.table("over_handcrafted")["baseline"]) == set(BOTH_WAYS)
    assert set(finished.table("overview")["variant"]) >= {"FE2E", "MESM 0.5", *BOTH_WAYS}
