"""Plumbing that would make sense in any product: it knows no word of the domain."""
