"""The exceptions that a user is meant to read."""

_LONGEST = 400
"""Characters of a part of the message: what a file holds may be quoted in it, and a file may hold anything."""


class _OneLine(Exception):
    """A message of one line that says what, where, and what to do."""

    def __init__(self, what: str, *, where: object = None, todo: str | None = None):
        self.what, self.where, self.todo = what, where, todo
        parts = [f"{where}: {what}" if where is not None else what]
        if todo:
            parts.append(todo)
        super().__init__("; ".join(map(_readable, parts)))

    def __reduce__(self):
        return _rebuild, (type(self), self.what, self.where, self.todo)


class InputError(_OneLine):
    """Something given from outside is unusable: a file, a parameter, a corpus folder.

    The message is one line and says what is wrong, where, and what to do. Every command turns it into that line on
    standard error and exit code 2; it never shows a traceback.
    """


class Diverged(_OneLine):
    """Every training of a run left for NaN or infinity: a result, though one without scores.

    Raised in a notebook, after it has shown what each training did. The run ends as `diverged`, with this line and exit
    code 1: the input can be used, another setting may train.
    """


def _readable(text: str) -> str:
    """One line without control characters, which a terminal would obey, and short enough to read."""
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST * 3 // 4]} ... {line[-_LONGEST // 4 :]}"


def _rebuild(cls, what, where, todo):
    return cls(what, where=where, todo=todo)
