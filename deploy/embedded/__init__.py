"""The embedded stack: real PostgreSQL, NATS and S3 from wheels, and the supervisor that runs them with Loupe.

`stack` is the door for the command line, `servers` the one for tests. Everything listens on 127.0.0.1 only.
The gRPC ports of SeaweedFS (each of its ports + 10000) ask for no credentials, so any local user can reach
them: use mTLS or another object store on a host that people share.
"""

import loupe.rpc  # noqa: F401 -- before anything imports grpc: it settles what grpc does when we fork
