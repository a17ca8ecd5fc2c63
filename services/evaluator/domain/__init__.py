"""Reports as values: standard library and kit.errors only."""
