"""Reprise: models, loaders, training loops and reporting behind the notebooks."""
