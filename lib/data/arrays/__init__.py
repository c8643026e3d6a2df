"""Corpora that are named arrays in a file."""
