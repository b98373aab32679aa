"""Metrics: numpy, streaming, mergeable."""
