"""Loss terms as pure functions of tensors, one a file, and their sums."""
