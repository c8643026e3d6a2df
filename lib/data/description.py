"""What there is to say of a corpus before any of its files is opened."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Literal

from lib.data.corpus import Scale, Task, Unit
from lib.data.obtaining import OnRequest

Form = Literal["sequences", "averaged", "dialogues", "recordings"]
"""Of a sample: all modalities over time; text over time with one vector of sound and picture; the utterances of a
dialogue, a vector each; media files, made into batches when they are asked for."""


@dataclass(frozen=True)
class Description:
    """`label` names the corpus in results, `title` says in one line what it is.

    `reader` is `module:function` and imported only when asked for; beside `read` stands `files`, which lists what is
    read, also where nothing is there. None: files of the catalogue that no corpus is made of. `cluster` and `scale` are
    those of `Source` and `Corpus`; `warnings` must stand beside any result. `family` is the collection of recordings
    that it was cut from. `measured`: it holds features that somebody else computed, so not all need be finite.

    `modalities` are those that it has, in the order of every corpus.

    `how` says how to obtain what cannot be downloaded; `files_of` names the corpus of the catalogue whose files it
    reads, if that is not its own name. `stands_for` is the corpus that a synthetic one is made like. `beside` is the
    corpus that it completes: nothing is run on it alone. `folds` counts those of a corpus that is tested in turns, by
    its reader's option `fold`. `given` are options with which its reader is always asked.
    """

    name: str
    label: str
    title: str
    reader: str | None
    task: Task
    form: Form
    family: str
    cluster: Unit
    licence: str
    scale: Scale | None = None
    warnings: tuple[str, ...] = ()
    measured: bool = True
    modalities: tuple[str, ...] = ("text", "audio", "video")
    how: OnRequest | None = None
    files_of: str = ""
    stands_for: str = ""
    beside: str = ""
    folds: int = 0
    given: Mapping[str, object] = field(default_factory=dict)

    @property
    def options(self) -> tuple[str, ...]:
        """What its reader can be asked beside the data folder, by name."""
        asked = tuple(inspect.signature(self._part(self.reader.partition(":")[2])).parameters)[1:]
        return tuple(option for option in asked if option not in self.given)

    @property
    def kind(self) -> Literal["regression", "classes", "multilabel", "conversation"]:
        """What is asked of an utterance, and whether it stands in a conversation."""
        return "conversation" if self.form == "dialogues" else self.task

    @property
    def module(self) -> str:
        """Dotted name of the module that reads it."""
        return self.reader.partition(":")[0]

    def load(self, root: Path, **options: object):
        """What the reader makes of the data folder `root`."""
        return self._part(self.reader.partition(":")[2])(root, **self.given, **options)

    def files(self, root: Path) -> list[Path]:
        """The files it is read from, whether they exist or not; none for a stand-in."""
        if self.stands_for:
            return []
        return self._part(self.reader.partition(":")[2].removesuffix("read") + "files")(root, **self.given)

    def _part(self, name: str) -> Callable:
        return attrgetter(name)(import_module(self.module))
