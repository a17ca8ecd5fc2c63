"""Plumbing of servers that would make sense in any product: it knows no word of the domain."""

import loupe.rpc  # noqa: F401 -- before anything imports grpc: it settles what grpc does when we fork
