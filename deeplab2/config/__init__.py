"""Experiments as protocol buffers: their schema, loading and checking."""

from deeplab2.config.experiment import load_experiment, parse_experiment
from deeplab2.config.textproto import format_textproto

__all__ = ["format_textproto", "load_experiment", "parse_experiment"]
