"""The rules of reports as values: standard library, `loupe.errors` and `loupe.translation` only."""
