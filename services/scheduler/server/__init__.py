"""The scheduler's gRPC services: translate, call, translate."""
