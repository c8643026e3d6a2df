"""What there is to say of the corpora that a person has brought, before any of their arrays is opened."""

from pathlib import Path

from lib.data.description import Description
from lib.data.own.declaration import FILE, MODALITIES, Declaration, declaration
from lib.errors import InputError

HOME = "own"
"""Where such corpora lie below the data folder."""


def brought(root: Path) -> list[Path]:
    """Their folders, in the order of their names."""
    return sorted(path.parent for path in (Path(root) / HOME).glob(f"*/{FILE}"))


def described(root: Path) -> dict[str, Description]:
    """Those below the data folder `root`, by name; one whose `corpus.yaml` cannot be used is left out."""
    found = {}
    for folder in brought(root):
        try:
            found[folder.name] = _description(folder, declaration(folder))
        except InputError:
            continue  # `refuse_faulty` says why, once somebody asks for it
    return found


def refuse_faulty(name: str, root: Path) -> None:
    """Raises InputError if `name` is a corpus that was brought and whose `corpus.yaml` cannot be used."""
    if "/" not in name and (Path(root) / HOME / name / FILE).is_file():
        declaration(Path(root) / HOME / name)


def _description(folder: Path, about: Declaration) -> Description:
    stored = tuple(m for m in MODALITIES if (folder / about.splits["train"] / f"{m}.npy").exists())
    return Description(
        name=folder.name,
        label=about.label,
        title=about.label,
        reader="lib.data.own.corpus_folder:read",
        task=about.task,
        form="sequences",
        family=HOME,
        cluster=about.unit,
        licence=about.licence,
        scale=about.limits,
        warnings=about.warnings,
        given={"name": folder.name},
        modalities=stored or MODALITIES,  # tables and archives tell once they are opened; `data import` makes folders
    )
