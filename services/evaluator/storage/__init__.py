"""Rows of the schema `evaluator`. Repositories take and return domain values, and commit nothing."""
