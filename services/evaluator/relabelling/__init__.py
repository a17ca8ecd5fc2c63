"""Marks of wrong labels, from a report to a new revision of the data (P6)."""
