"""Training and evaluation loops, optimizers, checkpoints, on orbit."""
