"""What every worker does: lease a job, execute it in a warm child, report, finish, drain.

The trainer and the evaluator add a JobHandler: the order that a lease becomes, and how its result is
stored. No torch here: it is loaded in the child (ARCHITECTURE.md, invariant 7).
"""
