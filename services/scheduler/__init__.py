"""The scheduler: training, prediction and export tasks, their jobs, loss curves and logs (rules W, T, M, R1).

Layers, each of which imports only those below it (`.importlinter`); `wire` and `storage` are one layer and do
not import each other:

- `__main__` composes the process.
- `server` has the gRPC services, one module each; `consumers` handles events of the registry.
- `application` has the use cases, one class each, in transactions. A job is leased in
  `application/admission.py`; `application/leases.py` ends leases, `application/heartbeats.py` prolongs them.
- `wire` translates messages to domain values and back; `wire/registry.py` is the client of the registry.
- `storage` has the repositories; statements of more than a screen are in `storage/sql`.
- `domain` is pure: the state machine of tasks (`task.py`), jobs, the order of the queue (`queue.py`), specs.
  A wizard rule is checked in `domain/wizard`, in the module of its step.
"""
