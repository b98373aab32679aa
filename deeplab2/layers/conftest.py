"""What tests of layers share."""

import pytest


@pytest.fixture
def ancestors():
  """A function of an operation: everything that has to be done before it."""
  return _ancestors


def _ancestors(op):
  found, rest = set(), [op]
  while rest:
    op = rest.pop()
    before = [*(x.op for x in op.inputs), *op.control_inputs]
    rest += [x for x in before if x not in found]
    found.update(before)
  return found
