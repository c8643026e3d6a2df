"""What a bag of words reaches on the standard CMU-MOSI folds, without any learned feature (inventory 1.5)."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from lib.data import data_root
from lib.data.corpus import Corpus
from lib.data.mosi import mosi_words
from lib.metrics.scores import regression

REFERENCE = "tf-idf 1-2-grams + ridge, all words"


def reference_table(corpus: Corpus, root: Path | str, words: int) -> pd.DataFrame:
    """Test MAE, correlation and two-class accuracy of ridge regression on tf-idf, and of the training mean.

    Beside the reference stand the same regression on the `words` last words, which is all that LMF reads, and without
    pairs of words. `corpus` is `mosi_words`, whose labels and order are used.
    """
    texts = mosi_words.transcripts(data_root(root or None))
    last = {name: [" ".join(text.split()[-words:]) for text in part] for name, part in texts.items()}
    found = {
        REFERENCE: _ridge(corpus, texts, (1, 2)),
        f"the same, last {words} words": _ridge(corpus, last, (1, 2)),
        f"single words, last {words} words": _ridge(corpus, last, (1, 1)),
        "training mean": np.full(len(corpus.splits["test"]), corpus.splits["train"].labels.mean()),
    }
    labels = corpus.splits["test"].labels
    rows = []
    for name, predicted in found.items():
        values = regression(predicted, labels)
        rows.append({"model": name, **{metric: values[metric] for metric in ("mae", "corr", "acc2_nonneg")}})
    return pd.DataFrame(rows)


def _ridge(corpus: Corpus, texts: dict[str, list[str]], pairs: tuple[int, int]) -> np.ndarray:
    """Test predictions; fitted on the training fold alone, without words that occur once there; penalty 1."""
    vectors = TfidfVectorizer(ngram_range=pairs, sublinear_tf=True, min_df=2)
    model = Ridge(alpha=1.0).fit(vectors.fit_transform(texts["train"]), corpus.splits["train"].labels)
    return model.predict(vectors.transform(texts["test"]))
