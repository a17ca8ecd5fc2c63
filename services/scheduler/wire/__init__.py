"""Contracts to domain values and back; the only place besides the server that knows generated code."""
