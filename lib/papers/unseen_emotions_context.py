"""What stands around the results of the notebook `unseen_emotions`: labels, notes, manifest."""

from collections.abc import Mapping, Sequence

from lib.papers.unseen_emotions import Case, result_folder
from lib.params.unseen_emotions import UnseenEmotions
from lib.reporting import manifest
from lib.reporting.caption import is_synthetic
from lib.training.records import Record, engines
from lib.training.validation import IN_WORDS


def label(cases: Sequence[Case]) -> str:
    """Of the corpus that all cases come from; on IEMOCAP each adds an emotion of its own."""
    found = list(dict.fromkeys(case.complete.corpus.source.label for case in cases))
    return found[0] if len(found) == 1 else f"{' / '.join(name.rpartition(', ')[0] for name in found)}, real data"


def warnings(cases: Sequence[Case]) -> list[str]:
    """What must stand beside any result."""
    return list(dict.fromkeys(words for case in cases for words in case.complete.corpus.source.warnings))


def provenance(label: str) -> str:
    """Real or not."""
    end = ": stand-in data show the mechanism, not the corpus" if is_synthetic(label) else ""
    return f"All on {label}{end}."


def trained(records: Mapping[str, Sequence[Record]]) -> list[Record]:
    """Every network once, also one that serves several emotions."""
    return list({record.key: record for found in records.values() for record in found}.values())


def write_manifest(
    p: UnseenEmotions, cases: Sequence[Case], records: Mapping[str, Sequence[Record]], seconds: float
) -> None:
    """`manifest.json` of the result folder."""
    every = trained(records)
    sources = {case.complete.corpus.source.name: case.complete.corpus.source for case in cases}
    manifest.write_manifest(
        result_folder(p),
        params=p.model_dump(mode="json", exclude={"results", "data_root", "cores"}),
        sources=list(sources.values()),
        seeds=p.seeds,
        engine=engines(every),
        device="cuda" if "cuda" in engines(every) else "cpu",
        selected_on={
            "epoch": f"{IN_WORDS[p.training.selection(p.dataset)]}, of the seen emotions in the clean protocol",
            "hyper-parameters": "none (fixed in the YAML)",
        },
        durations={"notebook": seconds, "training, all runs": sum(record.seconds for record in every)},
    )
