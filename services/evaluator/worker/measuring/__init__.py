"""Measuring models. torch is imported by `predict` alone, and that by the child process alone."""
