"""Fuzzing: what strangers send is mutated; the product must take it or refuse it by name, within bounds."""
