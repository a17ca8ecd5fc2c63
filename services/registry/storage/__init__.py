"""Rows of the schema `registry`. Repositories take a session, take and return domain values, and commit nothing."""
