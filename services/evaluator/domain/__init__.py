"""Reports as values: standard library and loupe.errors only."""
