"""The scheduler: training and prediction tasks, the jobs that workers lease, loss curves and logs (rules W, T, M, R1)."""
