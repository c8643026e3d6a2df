"""What the notebook over all result folders shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from lib.data.corpus import Source
from lib.files import WORKSPACE, sha256_file
from lib.papers.summary import Summary
from lib.papers.summary.evidence import evidence, kind
from lib.papers.summary.page import NOT_PAPERS
from lib.reporting.claims import answers, claims, condensed, titles
from lib.reporting.manifest import write_manifest
from lib.reporting.result_folders import CONTENTS, STATES, ResultFolder, read_folder
from lib.reporting.verdicts import VERDICTS

_FIXED = "none (fixed in the YAML)"
"""What manifests say of hyper-parameters that the run did not choose; what did stands in the YAML's comment."""


@dataclass(frozen=True)
class Reading:
    """The result folders that a run reads, in the order of the papers; a report takes it like a study."""

    p: Summary

    @cached_property
    def folders(self) -> list[ResultFolder]:
        """Every run that has parameters; without stand-ins if the parameters say so, and then without quick runs,
        which are on stand-ins, whether or not they have been made here."""
        paths = sorted((WORKSPACE / "params").glob("*/*.yaml"))
        place = {notebook: position for position, notebook in enumerate(titles())}
        runs = sorted((place.get(path.parent.name, len(place)), path.parent.name, path.stem) for path in paths)
        found = [read_folder(WORKSPACE / "results", *run) for _, *run in runs if run[0] not in NOT_PAPERS]
        return [f for f in found if self.p.stand_ins or (f.state != "stand-in" and f.name != "quick")]

    @property
    def folder(self) -> Path:
        """The run's result folder, relative to the workspace unless absolute, whatever the working directory."""
        return WORKSPACE / self.p.results

    @property
    def source(self) -> Source:
        """What was read, as a corpus; synthetic if any of it is."""
        synthetic = any(folder.state == "stand-in" for folder in self.folders)
        return Source(
            name="results of all papers, stand-ins among them" if synthetic else "results of all papers",
            synthetic=synthetic,
            files={f"{f.notebook}/{f.name}": sha256_file(f.path / CONTENTS) for f in self.folders if f.has_results},
            licence="see the runs",
            split_rule="see the runs",
        )

    @property
    def label(self) -> str:
        return self.source.label

    def finish(self, seconds: float) -> None:
        """The manifest of the summary itself, which trains nothing."""
        write_manifest(
            self.folder,
            params=self.p.model_dump(mode="json", exclude={"results", "data_root", "cores"}),
            sources=[self.source],
            seeds=[],
            engine="none (nothing is trained)",
            device="cpu",
            selected_on={},
            durations={"notebook": seconds},
        )


def states(folders: Sequence[ResultFolder]) -> pd.DataFrame:
    """One row per paper and state: which runs are in it."""
    rows = []
    for notebook in dict.fromkeys(folder.notebook for folder in folders):
        names = {state: [f.name for f in folders if f.notebook == notebook and f.state == state] for state in STATES}
        rows.append({"notebook": notebook} | {state: ", ".join(runs) for state, runs in names.items()})
    return pd.DataFrame(rows)


def results(folders: Sequence[ResultFolder]) -> pd.DataFrame:
    """One row per run with results: corpus, kind of evidence, seeds, what chose epoch and hyper-parameters, minutes,
    commit."""
    rows = []
    for folder in (folder for folder in folders if folder.has_results):
        run, code = folder.manifest["run"], folder.manifest["code"]
        epoch = [how for what, how in run["selected_on"].items() if what.startswith("epoch")]
        seconds = folder.manifest["volatile"]["durations"].get("training, all runs", 0.0)
        rows.append(
            {
                "run": f"{folder.notebook}/{folder.name}",
                "data": folder.label,
                "evidence": evidence(folder),
                "seeds": len(run["seeds"]),
                "epoch chosen on": "; ".join(dict.fromkeys(epoch)),
                "hyper-parameters chosen on": run["selected_on"]
                .get("hyper-parameters", "")
                .replace(_FIXED, "see the YAML"),
                "minutes of training": seconds / 60,
                "commit": (code["commit"] or "none")[:7] + (", with changes" if code["dirty"] else ""),
            }
        )
    return pd.DataFrame(rows)


def claims_table(folders: Sequence[ResultFolder], *, every: bool = False) -> pd.DataFrame:
    """What each run says about each claim of its paper; with `every`, each single row instead of their mean."""
    order = {claim: place for place, claim in enumerate(claims())}
    parts = [
        (rows if every else condensed(rows)).assign(
            claim=claim.claim,
            kind=claim.kind_in_words,
            source=claim.source,
            state=folder.state,
            place=order[claim],
            evidence=evidence(folder),
            data=kind(folder),
        )
        for folder in folders
        for claim, rows in answers(folder).items()
    ]
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts).sort_values("place", kind="stable", ignore_index=True).drop(columns="place")


def directions(every: pd.DataFrame) -> pd.DataFrame:
    """How many rows say what of each claim: `claim`, `data` (of `evidence.KINDS`), and a column per direction."""
    counts = pd.crosstab([every["claim"], every["data"]], every["direction"])
    counts = counts.reindex(columns=list(VERDICTS), fill_value=0)
    return counts.reindex(list(dict.fromkeys(every["claim"])), level="claim").reset_index().rename_axis(columns=None)


def conclusions(every: pd.DataFrame) -> list[str]:
    """One sentence per claim, from the counts."""
    sentences = []
    for claim, rows in directions(every).groupby("claim", sort=False):
        parts = []
        for _, row in rows.iterrows():
            n = sum(row[name] for name in VERDICTS)
            counted = ", ".join(f"{row[name]} {name}" for name in VERDICTS if row[name])
            parts.append(f"on {row['data']} {counted} (of {n})")
        sentences.append(f"{claim}: {'; '.join(parts)}.")
    return sentences
