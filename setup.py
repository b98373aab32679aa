"""Packaging: what `pip install` puts in place, and what it needs.

The package itself gives inference, data and metrics. `deeplab2[train]` adds the
training loop (orbit, out of tf-models-official), `deeplab2[jax]` and
`deeplab2[torch]` another backend of Keras to compute on, `deeplab2[dev]` the
tests and linters.
"""

import ast
import pathlib

import setuptools

HERE = pathlib.Path(__file__).parent

# Bounds are those that were run. Keras's variable paths and optimizer hooks are
# private to a minor version; tf-models-official ties TensorFlow to 2.20 and, by
# what it requires itself, absl-py to 1.x.
REQUIRES = [
  "absl-py>=1.4",
  "google-crc32c>=1.6,<2",
  "keras>=3.15,<3.16",
  "matplotlib>=3.9",
  "numpy>=1.26",
  "Pillow>=10.1",
  "protobuf>=5.28,<8",
  "scipy>=1.11",
  "tensorboard>=2.20,<2.21",
  "tensorflow>=2.20,<2.21",
  "tqdm>=4.66",
]
EXTRAS = {
  "train": ["tf-models-official~=2.20.0"],
  "jax": ["jax>=0.10,<0.11"],
  "torch": ["torch>=2.13,<2.14"],
  "dev": [
    "codespell>=2.3",
    "hypothesis>=6.100,<7",
    "pytest>=8.2",
    "pytest-xdist>=3.6,<4",
    "ruff>=0.17,<0.18",
  ],
}


def version() -> str:
  """`__version__` of the package, read without importing it."""
  tree = ast.parse((HERE / "deeplab2/__init__.py").read_text("utf-8"))
  for node in tree.body:
    if isinstance(node, ast.Assign) and node.targets[0].id == "__version__":
      return ast.literal_eval(node.value)
  raise ValueError("deeplab2/__init__.py: expected a __version__; got none.")


setuptools.setup(
  name="deeplab2",
  version=version(),
  description="Panoptic segmentation with mask transformers, on Keras 3",
  long_description=(HERE / "README.md").read_text("utf-8"),
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  license_files=["LICENSE"],
  python_requires=">=3.11,<3.14",
  packages=[
    *setuptools.find_packages(include=["deeplab2", "deeplab2.*"]),
    "deeplab2.configs",
  ],
  # The configs lie beside the package in a checkout, inside it when installed.
  package_dir={"deeplab2.configs": "configs"},
  package_data={
    "deeplab2.config": ["*.proto"],
    "deeplab2.configs": ["**/*.textproto"],
  },
  install_requires=REQUIRES,
  extras_require=EXTRAS,
)
