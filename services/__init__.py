"""The services of Loupe, and the plumbing they share."""

import loupe.rpc  # noqa: F401 -- before the first import of grpc: it turns off the fork handlers
