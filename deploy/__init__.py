"""Runs Loupe on one machine: the embedded stack."""
