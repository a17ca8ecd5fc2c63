"""States of tasks, rules of the wizard, leases of jobs.

Imports the standard library, `loupe.errors`, `loupe.translation`, `services.kit.etag` and
`services.learning_rate` only.
"""
