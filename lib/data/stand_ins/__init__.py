"""Synthetic corpora with known ceilings, in the formats of those they stand for."""
