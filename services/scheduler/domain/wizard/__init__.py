"""The wizard: one module a step; `summary` puts the steps together (rules W, P1)."""
