"""The registry's rules: standard library, `loupe.errors` and `loupe.translation` only."""
