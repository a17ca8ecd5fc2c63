"""Rows. Repositories take and return domain values; a session is one transaction of kit.database."""
