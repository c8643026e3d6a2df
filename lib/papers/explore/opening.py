"""Where there are widgets, open the explorer's panel; elsewhere say that there is none."""

import os

from lib.papers.explore import Explore

BELOW = "the cells below show the setting of the parameters cell."


def show(p: Explore) -> object | None:
    """Display the panel where a Jupyter server runs the kernel and ipywidgets is there, and return it.

    Elsewhere, as in a batch run, one line says so, and no state of a widget enters the stored notebook.
    """
    if "JPY_SESSION_NAME" not in os.environ:
        print(f"No widgets in a batch run: {BELOW}")
        return None
    try:
        from lib.papers.explore.panel import Panel
    except ModuleNotFoundError:
        print(f"No widgets without the package ipywidgets: {BELOW}")
        return None
    from IPython.display import display

    panel = Panel(p)
    display(panel.box)
    return panel
