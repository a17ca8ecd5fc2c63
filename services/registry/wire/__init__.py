"""Contracts to domain values and back; resource names and page tokens. Nothing here asks a database."""
