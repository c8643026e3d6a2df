"""Texts as vectors that were learned elsewhere, so that no label of a corpus is in them."""
