"""The registry's rules: standard library and `loupe.errors` only."""
