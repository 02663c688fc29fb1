"""/v1/backtests: what other parameters, or another fence, would have found; run as a job, published nowhere."""
