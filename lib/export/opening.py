"""Where there are widgets, open the panel of exported models; elsewhere say what does the same."""

from lib.papers.explore.opening import displayed

OTHERWISE = "`run_all.sh predict` and `load_trained` ask an exported model (docs/trained_models.md)."


def show() -> object | None:
    """Display the panel, and return it, where there are widgets."""
    return displayed("lib.export.panel", otherwise=OTHERWISE)
