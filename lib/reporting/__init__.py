"""Gain tables, figures, comparison with published numbers, provenance."""
