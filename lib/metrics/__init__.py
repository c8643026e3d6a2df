"""Scores of predictions: `presence` is what training selects epochs by, `scores` has a row per metric."""
