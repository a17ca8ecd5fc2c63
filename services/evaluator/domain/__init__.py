"""The rules of reports as values: standard library and `kit.errors` only."""
