"""Yes/no decisions about the presence of emotions, and what an epoch may be selected by.

Logits and 0/1 truths are `(samples, emotions)`; scores are per emotion. NumPy and torch only: every worker that trains
loads this.
"""

import numpy as np
from jaxtyping import Bool, Float

Logits = Float[np.ndarray, "samples emotions"]
Truths = Float[np.ndarray, "samples emotions"]
PerEmotion = Float[np.ndarray, "emotions"]
Decisions = Bool[np.ndarray, "samples emotions"]

CANDIDATES = np.arange(1, 20) * 0.05


def probabilities(logits: Logits) -> Logits:
    """Sigmoid in the logits' own precision: where float32 saturates, ties arise that AUC has to see."""
    import torch  # a second of loading, which a page of scores can do without

    return torch.sigmoid(torch.from_numpy(np.ascontiguousarray(logits))).numpy()


def decisions(logits: Logits, threshold: float | PerEmotion = 0.5) -> Decisions:
    """Present where the probability is strictly above the threshold."""
    return probabilities(logits) > threshold


def best_thresholds(logits: Logits, truths: Truths) -> PerEmotion:
    """Per emotion the threshold in 0.05, 0.10, ... 0.95 with the highest F1, the first of equal ones.

    The end-to-end reference finds them on the validation split, scores that split with them, and the test split too
    (spec end_to_end, quirk Q11). An emotion that no threshold finds gets 0.05.
    """
    likelihood, true = probabilities(logits), truths == 1
    f1 = np.stack([f1_positive(likelihood > threshold, true) for threshold in CANDIDATES])
    return CANDIDATES[f1.argmax(axis=0)]


def acc(predicted: Decisions, true: Decisions) -> PerEmotion:
    """Share of right yes/no decisions."""
    return (predicted == true).mean(axis=0)


def weighted_acc(predicted: Decisions, true: Decisions) -> PerEmotion:
    """(TP N/P + TN) / 2N, the mean of the two recalls; NaN for an emotion that is never or always present.

    The emotion-embedding reference divides by zero there and stops (spec emotion_embeddings, section 8).
    """
    recall_of_presence = ratio((predicted & true).sum(0), true.sum(0))
    recall_of_absence = ratio((~predicted & ~true).sum(0), (~true).sum(0))
    return (recall_of_presence + recall_of_absence) / 2


def f1_positive(predicted: Decisions, true: Decisions) -> PerEmotion:
    """F1 of presence; 0 where the emotion is neither present nor predicted, as in scikit-learn."""
    return np.nan_to_num(ratio(2 * (predicted & true).sum(0), predicted.sum(0) + true.sum(0)), nan=0.0)


def weighted_f1(predicted: Decisions, true: Decisions) -> PerEmotion:
    """F1 of presence and of absence, weighted by how often each is true; high for any rare emotion.

    scikit-learn's `average="weighted"` over the classes 0 and 1 of each emotion.
    """
    share = true.mean(axis=0)
    return share * f1_positive(predicted, true) + (1 - share) * f1_positive(~predicted, ~true)


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient in float64, NaN where the denominator is 0."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient
