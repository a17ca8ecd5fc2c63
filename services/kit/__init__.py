"""Infrastructure that any product could use: no code here depends on the domain."""

import os

# Before the first import of grpc. Its fork handlers crash in the child when a busy process forks to exec: a
# segmentation fault in about one of ten starts. Our child processes never use the parent's channels.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
