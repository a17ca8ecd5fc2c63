"""The registry's rules: standard library and `kit.errors` only."""
