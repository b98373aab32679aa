"""Changes to a sample, one a file: small functions that need no state."""
