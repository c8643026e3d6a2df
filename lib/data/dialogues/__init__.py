"""Corpora of conversations."""
