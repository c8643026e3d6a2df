"""CMU-MOSEI as the papers cut it."""
