"""Every corpus this workspace knows, one description each; what else lists corpora is derived from these.

That is: loading (`lib.data`), the catalogue (`data check`, `data get`), what a YAML may name as its `dataset`, the
explorer's list, and the table in the README, which `python -m lib.data.catalogue` writes. A new corpus needs its
description in `lib/data/descriptions/` (and, if it is public, its pinned files in `catalogue.csv`), its reader, and a
sample of it for the tests (`tests/data/readers.py`). Stand-ins are described here.
"""

from dataclasses import replace

from lib.data.corpus import Task
from lib.data.description import Description, Form
from lib.data.descriptions.dialogues import DIALOGUES
from lib.data.descriptions.emotions import EMOTIONS
from lib.data.descriptions.lmf_pickles import LMF_PICKLES
from lib.data.descriptions.recordings import RECORDINGS
from lib.data.descriptions.utterances import UTTERANCES
from lib.data.folders import data_root
from lib.data.own.described import described, refuse_faulty
from lib.errors import InputError

_REAL = {d.name: d for d in (*UTTERANCES, *LMF_PICKLES, *EMOTIONS, *DIALOGUES, *RECORDINGS)}


def _stand_in(like: str, label: str, reader: str, name: str = "") -> Description:
    """A synthetic corpus of the kind of another, in its files' format; its samples are independent of each other."""
    real = _REAL[like]
    return replace(
        real,
        name=name or f"{like}_like",
        label=label,
        title=f"synthetic, in the format of {like}",
        reader=f"lib.data.stand_ins.{reader}",
        cluster="dialogue" if real.form == "dialogues" else "utterance",
        licence="none needed: generated",
        warnings=("SYNTHETIC stand-in: its scores say nothing about the real corpus",),
        measured=False,
        how=None,
        stands_for=like,
    )


_STAND_INS = (
    _stand_in("iemocap", "IEMOCAP-like", "synthetic:load_iemocap_like"),
    _stand_in("mosi", "MOSI-like", "synthetic:load_mosi_like"),
    _stand_in("mosei_emotions", "MOSEI-emotions-like", "synthetic_emotions:load_mosei"),
    _stand_in("iemocap_emotions", "IEMOCAP-emotions-like", "synthetic_emotions:load_iemocap"),
    _stand_in("iemocap_conversations", "IEMOCAP-like conversations", "synthetic_conversations:load_iemocap"),
    _stand_in("meld_conversations", "MELD-like conversations", "synthetic_conversations:load_meld"),
    _stand_in("mosi_lmf", _REAL["mosi_lmf"].label, "synthetic_lmf:load_mosi"),
    _stand_in("pom_lmf", _REAL["pom_lmf"].label, "synthetic_lmf:load_pom"),
    _stand_in("iemocap_lmf", _REAL["iemocap_lmf"].label, "synthetic_lmf:load_iemocap"),
    _stand_in("iemocap_raw", "IEMOCAP-like raw", "synthetic_recordings:load_iemocap"),
    _stand_in("mosei_raw", "MOSEI-like raw", "synthetic_recordings:load_mosei"),
)
CORPORA: dict[str, Description] = {d.name: d for d in _STAND_INS} | _REAL
CORPORA |= {name: d for name, d in described(data_root()).items() if name not in CORPORA}
"""By name: stand-ins, published corpora, and those of the user that lay in the data folder when this was loaded."""


def get(name: str) -> Description:
    """Raises InputError for a name that no corpus to be read has."""
    if name not in CORPORA or CORPORA[name].reader is None:
        refuse_faulty(name, data_root())
        known = ", ".join(sorted(d.name for d in CORPORA.values() if d.reader))
        raise InputError(f"unknown corpus {name!r}", todo=f"known: {known}")
    return CORPORA[name]


def names(
    *, task: Task | None = None, form: Form | tuple[Form, ...] | None = None, family: str | None = None
) -> tuple[str, ...]:
    """The corpora with this task, form and family on which something can be run, stand-ins first.

    For the field `dataset` of a paper's parameters: `Literal[corpora.names(task="classes", form="sequences")]`.
    """
    forms = (form,) if isinstance(form, str) else form
    return tuple(
        d.name
        for d in CORPORA.values()
        if (d.reader and not d.beside)
        and (task in (None, d.task) and (forms is None or d.form in forms) and family in (None, d.family))
    )
