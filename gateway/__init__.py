"""HTTP+JSON and server-sent events for the services, transcoded as their contracts say (rule I3)."""

import loupe.rpc  # noqa: F401 -- before grpc, whose environment it sets
