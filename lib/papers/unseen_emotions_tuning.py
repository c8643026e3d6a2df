"""Fine-tuning of the zero-shot networks on a few samples of the emotion: which, on what, and kept (spec, 9.4)."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import joblib
import numpy as np
import torch

from lib.data.arrays.emotion_rules import reference_shots
from lib.files import atomic_path, sha256_json
from lib.papers.unseen_emotions import CLEAN, Case, Job, members, result_folder, zero_shot_model
from lib.params.unseen_emotions import Regime, UnseenEmotions
from lib.source_closure import closure
from lib.training import wanted
from lib.training.execution import one_thread
from lib.training.finetune import FineTuning, few_and_as_many_others, finetune
from lib.training.loop import evaluate
from lib.training.records import FINISHED, Record


@dataclasses.dataclass(frozen=True)
class Tuning:
    """A zero-shot network and how it is tuned. `path` holds its test logits once that is done."""

    job: Job
    regime: Regime
    start: Record
    path: Path


def fine_tuned(
    p: UnseenEmotions, jobs: Sequence[Job], records: Mapping[str, Sequence[Record]]
) -> dict[tuple[str, Regime, int], np.ndarray]:
    """Test logits `(N, C)` by emotion, regime and seed, of zero-shot networks after a few samples of the emotion.

    They are kept beside the networks; what is there already is not tuned again.
    """
    work = [
        tuning
        for job in jobs
        if job.setting == CLEAN and job.case.emotion in p.few_shot
        for tuning in _tunings(p, job, records[job.variant])
    ]
    todo = [tuning for tuning in work if not tuning.path.is_file()]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    workers = max(1, min(p.cores, len(todo))) if device == "cpu" else 1
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        joblib.Parallel(n_jobs=workers)(joblib.delayed(_run)(p, tuning, device) for tuning in todo)
    if work:
        wanted.note(work[0].path.parent, [t.path.stem for t in work])
    return {(t.job.case.emotion, t.regime, t.start.seed): np.load(t.path) for t in work}


def shots(p: UnseenEmotions, case: Case) -> int:
    """Samples of the emotion, and as many others, that fine-tuning sees."""
    labels = case.complete.corpus.splits["train"].labels
    return min(reference_shots(labels, case.column, p.fine_tuning.share), case.positives())


def _tunings(p: UnseenEmotions, job: Job, records: Sequence[Record]) -> list[Tuning]:
    """Every regime from every finished network. A file's name says what it depends on: start, data, settings, code."""
    about = {
        "data": job.case.complete.corpus.digest,
        "vectors": job.case.complete.vectors.tolist(),
        "settings": p.fine_tuning.model_dump(mode="json", exclude={"regimes"}),
        "selected by": p.training.selection(p.dataset),
        "code": closure([__name__]),
    }
    folder, found = result_folder(p) / "members", []
    for regime in p.fine_tuning.regimes:
        for record in records:
            if record.status == FINISHED:
                key = sha256_json({**about, "start": record.key, "regime": regime})
                name = f"{job.case.emotion}-fine-tuned-{regime}-seed{record.seed}-{key[:12]}.npy"
                found.append(Tuning(job, regime, record, folder / name))
    return found


def _run(p: UnseenEmotions, tuning: Tuning, device: str) -> None:
    """Tune, and write the test logits last."""
    case, corpus = tuning.job.case, tuning.job.case.complete.corpus
    model = zero_shot_model(p, tuning.job, tuning.start).to(device)
    model.set_emotions(torch.from_numpy(case.complete.vectors))
    complete = {split: corpus.batches(split, device=device).only(p.modalities) for split in corpus.splits}
    few = few_and_as_many_others(corpus.splits["train"].labels, case.column, shots(p, case))
    options = p.fine_tuning.model_dump(exclude={"regimes", "share"})
    with one_thread():
        finetune(
            model,
            complete["train"].take(few),
            tuning.job.task.corpus.batches("train", device=device).only(p.modalities),
            case.seen,
            complete["valid"],
            FineTuning(tuning.regime, **options),
            criterion=p.training.selection(p.dataset),
            seed=tuning.start.seed,
        )
        logits = evaluate(model, complete["test"], members(p, tuning.job)[0].recipe)
    with atomic_path(tuning.path) as path, path.open("wb") as handle:
        np.save(handle, logits.cpu().numpy())
