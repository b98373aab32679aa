"""Panoptic segmentation with mask transformers, on TensorFlow and Keras 3."""
