"""Captions that say which corpus the numbers come from, and whether it is real.

Every table and figure takes the label of its corpus (`Source.label`), so that a number from a stand-in cannot
be taken for a result.
"""

REAL, SYNTHETIC = "real data", "SYNTHETIC stand-in"


def caption(text: str, label: str) -> str:
    """`text`, then the corpus label as the last words. Raises ValueError if the label does not say real or
    not.
    """
    is_synthetic(label)
    return f"{text.rstrip('. ')}. Corpus: {label}"


def is_synthetic(label: str) -> bool:
    """Whether a corpus label marks a stand-in. Raises ValueError if it says neither."""
    if label.endswith(SYNTHETIC):
        return True
    if label.endswith(REAL):
        return False
    raise ValueError(f"{label!r} is no corpus label: it ends neither in {REAL!r} nor in {SYNTHETIC!r}")
