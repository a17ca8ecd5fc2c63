"""The gRPC services of the evaluator: translate, call, translate."""
