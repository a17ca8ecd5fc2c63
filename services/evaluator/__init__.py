"""Reports: what a model got right and wrong, and the worker that measures it (E, P)."""
