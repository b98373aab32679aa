"""Networks that several tests compare; each is built once."""

import pytest

from tests.parity import networks

SMALL_SEED, NARROW_SEED = 7, 5


@pytest.fixture(scope="session")
def small():
  """MaX-DeepLab-S."""
  return networks.build(networks.experiment(networks.SMALL), SMALL_SEED)


@pytest.fixture(scope="session")
def narrow():
  """MaX-DeepLab-S of a quarter of the width."""
  options = networks.experiment(networks.SMALL, *networks.NARROW)
  return networks.build(options, NARROW_SEED)


@pytest.fixture(scope="session")
def large():
  """MaX-DeepLab-L, with weights that are calm."""
  options = networks.experiment(networks.LARGE)
  return networks.build(options, SMALL_SEED, calm=True)
