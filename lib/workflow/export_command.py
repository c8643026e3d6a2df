"""`run_all.sh export` writes one training of a run as a folder that can be kept; `run_all.sh predict` asks it."""

import argparse
import sys
from pathlib import Path

from lib.data.corpora import CORPORA
from lib.errors import InputError
from lib.export.corpora import by_name
from lib.export.inputs import Utterances, from_path, strangers
from lib.export.loading import ExportedModel, load_trained
from lib.export.writing import export as write
from lib.export.writing import outputs_sha256
from lib.files import write_text
from lib.papers import load, schema_for, study_of
from lib.workflow.messages import complain
from lib.workflow.runs import ROOT, Run, known_runs

NOTE = "note: "


def export(given: argparse.Namespace) -> int:
    """Write the folder and say where it is. Raises InputError for a training that is not there."""
    notebook, _, name = given.run.strip("/").partition("/")
    run = Run(notebook, name)
    if run not in known_runs():
        known = ", ".join(str(run) for run in known_runs() if not schema_for(run.notebook).reads_results)
        raise InputError(f"no run {given.run!r}", where="export", todo=f"known: {known}")
    if schema_for(notebook).reads_results:
        raise InputError("trains nothing", where=given.run)
    study = study_of(load(run.parameters, results=run.results, data_root="", cores=1))
    to = Path(given.to).absolute() if given.to else None
    folder = write(study.recorded(), notebook, name, given.variant, given.seed, to)
    about = load_trained(folder).about
    print(f"{folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder}: {about.variant}, seed {about.seed}")
    print(f"chosen: {about.training.chosen}")
    return 0


def predict(given: argparse.Namespace) -> int:
    """Write or print the table. Raises InputError for a model or utterances that cannot be used."""
    model = load_trained(given.model, given.device)
    utterances, same = _utterances(model, given.input, given.split)
    table = model.predict(utterances)
    if model.about.data.synthetic:
        complain("trained on a SYNTHETIC stand-in: its answers say nothing about people", prefix=NOTE)
    for stranger in strangers(model.about, utterances):
        complain(stranger, prefix=NOTE)
    if same and given.split == "test":
        complain(_bits(model, utterances), prefix=NOTE)
    text = table.to_csv(index=False)
    if given.out:
        write_text(Path(given.out).absolute(), text)
        print(f"{given.out}: {len(table)} utterances")
    else:
        sys.stdout.write(text)
    return 0


def _utterances(model: ExportedModel, given: str, split: str) -> tuple[Utterances, bool]:
    """What is meant: a corpus by its name, else a folder or file."""
    if given in CORPORA or ("/" not in given and not Path(given).exists()):
        return by_name(model.about, given, split)
    return from_path(Path(given), split), False


def _bits(model: ExportedModel, utterances: Utterances) -> str:
    origin = model.about.training
    if outputs_sha256(model.outputs(utterances)) == origin.outputs_sha256:
        return "these are the recorded test outputs, bit for bit"
    made = f"torch {model.about.made.torch} on {model.about.made.processor}"
    return f"not the bits of the record ({origin.engine}); the model was written with {made}"
