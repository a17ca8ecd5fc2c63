"""The services of Loupe, and the plumbing they share."""

import loupe.rpc  # noqa: F401 -- before grpc, whose environment it sets
