"""Rows of the schema `registry`. Repositories take and return domain values, and commit nothing."""
