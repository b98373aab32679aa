"""Meta-architectures: wiring of backbones, heads, losses, post-processing."""

from deeplab2.models.meta_architecture import (
  MetaArchitecture,
  build_meta_architecture,
  build_model,
)

__all__ = ["MetaArchitecture", "build_meta_architecture", "build_model"]
