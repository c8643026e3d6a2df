"""What the networks say of an emotion that they have never seen: by its word vector, by random ones, and after they are
fine-tuned on a few samples of it (spec emotion_embeddings, 9.4).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from lib.data.arrays.emotion_rules import reference_shots
from lib.files import atomic_path, sha256_json
from lib.metrics.presence import probabilities
from lib.metrics.scores import auc
from lib.papers.unseen_emotions import Regime, UnseenEmotions
from lib.papers.unseen_emotions.study import CLEAN, Case, Setting, trained, zero_shot_in_turns
from lib.reporting.two_sources import holm
from lib.source_closure import closure
from lib.study import Done, Runs
from lib.training import wanted
from lib.training.execution import one_thread
from lib.training.finetune import FineTuning, few_and_as_many_others, finetune
from lib.training.records import FINISHED
from lib.training.streams import derived_seed
from lib.training.trained import Trained, load
from lib.training.workers import spread

RANDOM = "random vector"
CHANCE = "chance"
"""The setting of an answer that is the same for every sample: an AUC and a weighted accuracy of one half."""
VECTORS = 200
"""Random vectors that a word is ranked among."""
TOGETHER = "all held-out emotions"
"""The row in which each of them has its word, or a random vector of its own."""


def tuned(regime: str) -> str:
    """The setting of a network after fine-tuning."""
    return f"fine-tuned, {regime}"


def answers(runs: Runs) -> Runs:
    """The networks' logits of all emotions `(N, C)` on the complete test split, each setting with every seed.

    The zero-shot networks are given the missing vector here; as a control also a random one of the same length, drawn
    anew for each seed; and then they are fine-tuned. A network that is lost loses all that rests on it.
    """
    found = []
    for setting in runs.study.tasks:
        for run in trained(runs, setting):
            record = run[2]
            if setting.kind != CLEAN:
                found.append(_answer(run, setting, setting.kind, record.outputs.get("test")))
                continue
            out = _by_vectors(runs.study.folder, setting.case, run) if record.status == FINISHED else (None, None)
            found += [_answer(run, setting, kind, logits) for kind, logits in zip((CLEAN, RANDOM), out, strict=True)]
    return Runs(runs.study, found + _fine_tuned(runs))


def scores(answered: Runs) -> pd.DataFrame:
    """The long run table, without seconds, which are those of networks: one network gives several rows."""
    return answered.table.drop(columns="seconds")


def beside_chance(answered: Runs) -> Runs:
    """The answers, and what stands for chance: per emotion one that tells no sample from any other."""
    clean = [setting for settings in zero_shot_in_turns(answered.study) for setting in settings]
    return answered.beside(CHANCE, lambda setting: np.zeros_like(setting.case.corpus.splits["test"].labels), clean)


def on_others(answered: Runs) -> Runs:
    """The same answers, judged by what they say of the emotions that are not held out."""
    judged = {id(setting): replace(setting, answers=setting.case.answers_on_others) for setting in answered.study.tasks}
    study = replace(answered.study, tasks=tuple(judged.values()))
    return replace(answered, study=study, done=[(judged[id(setting)], *run) for setting, *run in answered.done])


def _answer(run: Done, setting: Setting, kind: str, out: np.ndarray | None) -> Done:
    """The epoch is the network's, not the answer's."""
    _, member, record = run
    shots = setting.shots if kind == setting.kind else 0
    answer = replace(
        record,
        variant=setting.variant(kind),
        outputs={} if out is None else {"test": out},
        selected_on={"epoch": f"validation {member.recipe.select_by}; hyper-parameters: fixed in the YAML"},
        best_epoch=-1,
        tags={"emotion": setting.case.emotion, "setting": kind, "shots": shots},
    )
    return setting, member, answer


def _network(folder: Path, case: Case, run: Done, device: str = "cpu") -> Trained:
    """The trained network, which knows the seen emotions alone, before the complete test split."""
    _, member, record = run
    test = case.corpus.batches("test", device=device)
    return load(folder / "members", member, record, test, lambda out: case.scores("test", out)["auc"])


def _asked(network: Trained, vectors: np.ndarray) -> np.ndarray:
    """Logits `(N, vectors)`."""
    network.model.set_emotions(torch.from_numpy(vectors))
    return network.outputs()


def _by_vectors(folder: Path, case: Case, run: Done) -> tuple[np.ndarray, np.ndarray]:
    """With the word vector of the emotion, and with a random one."""
    network = _network(folder, case, run)
    random = case.vectors.copy()
    draw = np.random.default_rng(derived_seed(run[2].seed, "control", case.emotion)).normal(size=random.shape[1])
    random[case.column] = draw * np.linalg.norm(random[case.column]) / np.linalg.norm(draw)
    return _asked(network, case.vectors), _asked(network, random)


def random_table(runs: Runs) -> pd.DataFrame:
    """One row per held-out emotion: the AUC of its word vector and of random ones, all averaged over the seeds; and one
    for the mean over several emotions (`TOGETHER`).

    `random_mean` and the middle 95 % of the random vectors; how many of them score at least as high as the word, and
    `random_p`, that number and one over the number of vectors and one: the chance that a random vector in the word's
    place stands as high; `holm_p` is adjusted for the number of words. All NaN for an emotion without a finished
    network, or of which the test has none or nothing else.
    """
    by_emotion = {}
    for settings in zero_shot_in_turns(runs.study):
        case, vectors = settings[0].case, candidates(settings[0].case)
        finished = [(s.case, run) for s in settings for run in trained(runs, s) if run[2].status == FINISHED]
        found = np.full(len(vectors), np.nan)
        if finished:
            found = np.mean(
                [_aucs(its, _network(runs.study.folder, its, run), vectors) for its, run in finished], axis=0
            )
        by_emotion[case.emotion] = found
    if len(by_emotion) > 1:
        defined = [found for found in by_emotion.values() if not np.isnan(found[0])]
        by_emotion[TOGETHER] = np.mean(defined, axis=0) if defined else np.full(VECTORS + 1, np.nan)
    rows = []
    for emotion, found in by_emotion.items():
        word, others = found[0], found[1:]
        low, high = np.quantile(others, [0.025, 0.975])
        higher = int(np.sum(others >= word))
        place = np.nan if np.isnan(word) else (higher + 1) / (len(others) + 1)
        rows.append(
            {
                "emotion": emotion,
                "auc": float(word),
                "random_mean": float(others.mean()),
                "middle_of_random_low": float(low),
                "middle_of_random_high": float(high),
                "random_vectors": len(others),
                "at_least_as_high": higher,
                "random_p": place,
            }
        )
    table = pd.DataFrame(rows)
    return table.assign(holm_p=holm(table["random_p"].where(table["emotion"] != TOGETHER)))


def candidates(case: Case) -> Float[np.ndarray, "vectors width"]:
    """The emotion's word vector, then `VECTORS` random ones of its length; the same for every seed."""
    word = case.vectors[case.column]
    drawn = np.random.default_rng(derived_seed(0, "random vectors", case.emotion)).normal(size=(VECTORS, len(word)))
    drawn *= np.linalg.norm(word) / np.linalg.norm(drawn, axis=1, keepdims=True)
    return np.vstack([word, drawn]).astype(np.float32)


def _aucs(case: Case, network: Trained, vectors: np.ndarray) -> Float[np.ndarray, "vectors"]:
    """Every vector's score of the emotion, by one network: a logit depends on its own vector only."""
    out = probabilities(_asked(network, vectors))
    return auc(out, np.broadcast_to(case.present("test")[:, None], out.shape))


def shots(p: UnseenEmotions, case: Case) -> int:
    """Samples of the emotion, and as many others, that fine-tuning sees."""
    labels = case.corpus.splits["train"].labels
    return min(reference_shots(labels, case.column, p.fine_tuning.share), int(case.present("train").sum()))


@dataclass(frozen=True)
class Tuning:
    """A zero-shot network and how it is tuned. `path` holds its test logits once that is done."""

    setting: Setting
    regime: Regime
    run: Done
    path: Path

    @property
    def possible(self) -> bool:
        return self.run[2].status == FINISHED


def _fine_tuned(runs: Runs) -> list[Done]:
    """Answers after fine-tuning. They are kept beside the networks; what is there already is not tuned again."""
    p, folder = runs.study.p, runs.study.folder
    clean = [setting for settings in zero_shot_in_turns(runs.study) for setting in settings]
    few = [setting for setting in clean if setting.case.emotion in p.few_shot]
    work = [tuning for setting in few for tuning in _tunings(p, folder, setting, trained(runs, setting))]
    todo = [tuning for tuning in work if tuning.possible and not tuning.path.is_file()]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    workers = max(1, min(p.cores, len(todo))) if device == "cpu" else 1
    for _ in spread(lambda tuning: _tune(p, folder, tuning, device), todo, workers):
        pass
    wanted.note(folder / "members", [tuning.path.stem for tuning in work if tuning.possible])
    return [_answer(t.run, t.setting, tuned(t.regime), np.load(t.path) if t.possible else None) for t in work]


def _tunings(p: UnseenEmotions, folder: Path, setting: Setting, runs: Sequence[Done]) -> Iterator[Tuning]:
    """Every regime from every network. A file's name says what it depends on: start, data, settings, code."""
    case, model, recipe = setting.case, runs[0][1].model, runs[0][1].recipe
    about = {
        "data": case.corpus.digest,
        "vectors": case.vectors.tolist(),
        "shots": shots(p, case),
        "settings": p.fine_tuning.model_dump(mode="json", exclude={"regimes"}),
        "selected by": recipe.select_by,
        "code": closure([model.module, "lib.training.finetune"]),
    }
    for regime in p.fine_tuning.regimes:
        for run in runs:
            key = sha256_json({**about, "start": run[2].key, "regime": regime})
            name = f"{case.emotion}-fine-tuned-{regime}-seed{run[2].seed}-{key[:12]}.npy"
            yield Tuning(setting, regime, run, folder / "members" / name)


def _tune(p: UnseenEmotions, folder: Path, tuning: Tuning, device: str) -> None:
    """Tune, and write the test logits last."""
    case, (_, member, record) = tuning.setting.case, tuning.run
    network = _network(folder, case, tuning.run, device)
    network.model.set_emotions(torch.from_numpy(case.vectors))
    train, valid = (case.corpus.batches(split, device=device).only(p.modalities) for split in ("train", "valid"))
    with one_thread():
        finetune(
            network.model,
            train.take(few_and_as_many_others(case.corpus.splits["train"].labels, case.column, shots(p, case))),
            tuning.setting.corpus.batches("train", device=device).only(p.modalities),
            case.seen,
            valid,
            FineTuning(tuning.regime, **p.fine_tuning.model_dump(exclude={"regimes", "share"})),
            criterion=member.recipe.select_by,
            seed=record.seed,
        )
    with atomic_path(tuning.path) as path, path.open("wb") as handle:
        np.save(handle, network.outputs())
