"""The one exception that a user is meant to read."""


class InputError(Exception):
    """Something given from outside is unusable: a file, a parameter, a corpus folder.

    The message is one line and says what is wrong, where, and what to do. Every command turns it into that line on
    standard error and exit code 2; it never shows a traceback.
    """

    def __init__(self, what: str, *, where: object = None, todo: str | None = None):
        self.what, self.where, self.todo = what, where, todo
        parts = [f"{where}: {what}" if where is not None else what]
        if todo:
            parts.append(todo)
        super().__init__("; ".join(" ".join(part.split()) for part in parts))

    def __reduce__(self):
        return _rebuild, (type(self), self.what, self.where, self.todo)


def _rebuild(cls, what, where, todo):
    return cls(what, where=where, todo=todo)
