"""What the conversation backbones rely on, with SPCL and without: the balance that the paper is about, as shares."""

from collections.abc import Mapping, Sequence

from lib.data.corpus import Corpus
from lib.papers.self_paced_balance import grid, result_folder
from lib.papers.spcl_tables import SCORES, TRI, split_scores
from lib.params.self_paced_balance import SelfPacedBalance
from lib.reporting.modality_section import ask
from lib.training.records import Record
from lib.training.trained import Trained


def asked(p: SelfPacedBalance, corpora: Mapping[int, Corpus], records: Sequence[Record]) -> list[Trained]:
    """Every backbone on three modalities as published, in the order of the run table."""
    by_run = {(record.variant, record.seed): record for record in records}
    found = []
    for seed, corpus in corpora.items():
        members = [m for m in grid(p, corpus, seed) if m.tags["modalities"] == TRI and not m.tags["mend"]]
        found += ask(
            result_folder(p),
            corpus,
            [(member, by_run[member.variant, seed]) for member in members],
            lambda outputs, corpus=corpus: split_scores(corpus, "test", outputs)[SCORES[0]],
        )
    return found
