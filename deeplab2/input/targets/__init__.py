"""What a meta-architecture learns from, made of a panoptic map."""
