"""The scheduler: training and prediction tasks, the their jobs, loss curves and logs (rules W, T, M, R1)."""
