"""The registry's gRPC services: translate, call, translate."""
