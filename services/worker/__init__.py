"""What every worker does, whatever its craft: lease a job, drive a warm child, report, finish, drain.

The trainer and the evaluator bring what differs: the order that a lease becomes, and what is stored in the
end. No torch here: it lives in the child (architecture, invariant 7).
"""
