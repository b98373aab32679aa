"""A picture in, a panoptic map of its own size out: in Python and as a file."""
