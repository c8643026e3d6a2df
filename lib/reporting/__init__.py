"""Metrics, gain tables, figures, comparison with published numbers, provenance."""
