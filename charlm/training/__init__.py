"""Training: batches, optimiser and schedule, the loop, evaluation, resumption."""
