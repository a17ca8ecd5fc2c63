"""gRPC on both sides of a call: channels, their options, TLS, and errors as statuses."""

import os

# Before the first import of grpc. Its fork handlers crash in a child that a busy process forks to exec: a
# segmentation fault in one of some ten starts. What we start never uses the channels of its parent.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
