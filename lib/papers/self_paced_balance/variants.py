"""What the networks are called in the run table, and which a run has of each backbone."""

from collections.abc import Sequence

from lib.papers.self_paced_balance import SelfPacedBalance

TITLES = {
    "biddin": "BiDDIN",
    "dialogue_gcn": "DialogueGCN",
    "mm_dfn": "MM-DFN",
    "mmgcn": "MMGCN",
    "late_fusion": "LateFusion",
}
"""In the order of what an epoch costs, dearest first."""


def variant(backbone: str, subset: str, *, spcl: bool, mend: str = "") -> str:
    """Name of a variant in the run table."""
    return f"{TITLES[backbone]} {subset}{' + SPCL' if spcl else ''}{f', {mend}' if mend else ''}"


def pair(backbone: str, subset: str, mend: str = "") -> tuple[str, str]:
    """Variants without and with SPCL; a mend of SPCL's loss does not touch the former. One modality has no SPCL."""
    without = variant(backbone, subset, spcl=False, mend="" if mend == "selected" else mend)
    return without, variant(backbone, subset, spcl=True, mend=mend) if len(subset) > 1 else without


def subsets(p: SelfPacedBalance, backbone: str, mend: str = "") -> tuple[str, ...]:
    """Those that a backbone is trained on, as published or under a mend.

    `axis` concerns BiDDIN alone; MM-DFN mixes each modality with another, so it has no network for one.
    """
    if mend == "axis" and backbone != "biddin":
        return ()
    asked = p.mend_subsets if mend else p.subsets
    return several(asked) if backbone == "mm_dfn" else asked


def several(subsets: Sequence[str]) -> tuple[str, ...]:
    """Those of more than one modality, which SPCL can compare."""
    return tuple(subset for subset in subsets if len(subset) > 1)


def sides(mend: str, subset: str) -> tuple[bool, ...]:
    """Without SPCL and with it; `selected` changes nothing without, and is compared with the variant as published.

    One modality alone is trained without (quirk 9).
    """
    if len(subset) < 2:
        return (False,)
    return (True,) if mend == "selected" else (False, True)
