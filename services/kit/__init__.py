"""Infrastructure that any product could use: no code here depends on the domain."""

import loupe.rpc  # noqa: F401 -- before anything imports grpc: it settles what grpc does when we fork
