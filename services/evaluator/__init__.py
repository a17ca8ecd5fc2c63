"""Evaluation reports: stored, read, compared, exported (E, P), and the worker that measures models.

The evaluator, in layers; each imports only those below it:

    __main__      composes the service; settings.py, migrations/
    server/       gRPC services: translate, call, translate; consumers.py: events of other services
    application/  use cases, each in one transaction; ports to the registry and to the object store
    storage/      rows of the schema `evaluator`; storage/sql/ has the longer queries
    wire/         messages, names, page tokens and files (CSV, HTML, JSON) of values; the registry client
    domain/       values and rules: standard library, `loupe.errors`, `loupe.translation` only

Each subject (reports, samples, comparison, suspected labels, relabelling) has a module in the layers that it
needs. A figure of a report is defined in `domain/definitions.py` and computed in `domain/metrics.py` from the
counts that `domain/tally.py` makes.

worker/ is another process: it predicts samples, sends them to the evaluator and builds packages. It
shares no code with the evaluator; the two meet in `loupe.evaluator.v1`.
"""
