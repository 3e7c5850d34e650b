"""Training: samples, loss, schedule, state and one loop for every task."""
