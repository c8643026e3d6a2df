"""What the stored notebooks keep of a quick run's figures."""

from base64 import b64decode, b64encode
from io import BytesIO

import numpy as np
from PIL import Image

from lib.workflow.store_outputs import as_shown


def test_a_figure_is_stored_in_the_size_that_it_is_shown_in():
    drawn = np.full((90, 150, 3), 255, np.uint8)
    drawn[15:75, 30:120] = (1, 115, 178)
    whole = BytesIO()
    Image.fromarray(drawn).save(whole, format="png")
    stored = b64decode(as_shown(b64encode(whole.getvalue()).decode("ascii"), {"width": 100, "height": 60}))
    image = Image.open(BytesIO(stored))
    assert (image.size, image.mode) == ((100, 60), "P")
    colours = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(colours[30, 50] - (1, 115, 178)).max() <= 2
    assert np.abs(colours[5, 5] - 255).max() <= 2
