"""The assignments that the original library makes, to the last bit, in numpy.

It pads the costs to a square with +-999 in float32, where neighbouring numbers
are 6e-5 apart. Similarities below that, which are the rule early in training,
are all the same to it, and which of the equal matchings it takes is a matter of
the order in which it looks. Its published weights were trained that way. This
module repeats those choices so that recordings can be compared; train with an
exact solver.

Letters: k ground-truth masks (rows), n slots (columns), s = max(k, n).
"""

import numpy as np

PADDING = np.float32(999.0)


def slots_of_masks(similarity, present):
  """Matches each image of a batch.

  Args:
    similarity: b k n  float32.
    present: b k  bool. The absent masks must be in their places, as the number
      of rows decides how the costs are padded.

  Returns:
    b k  int32 slot of each mask; -1 where absent, or where no slot was left.
    (The original gives the slot 0 to masks of the second kind, and so teaches
    it a wrong class.)
  """
  slots = similarity.shape[2]
  images = zip(similarity, present, strict=True)
  slot = np.stack([_assign(_padded_cost(*image)) for image in images])
  slot = slot[:, : present.shape[1]]
  return np.where(present & (slot < slots), slot, -1).astype(np.int32)


def _padded_cost(similarity, present):
  """k n, k -> s s  float32, whose absent rows take what nobody wants."""
  rows, columns = similarity.shape
  absent = PADDING if rows > columns else -PADDING
  size = max(rows, columns)
  cost = np.full((size, size), -PADDING, np.float32)
  cost[:rows, :columns] = np.where(present[:, None], -similarity, absent)
  return cost


def _assign(cost):
  """The column of each row by the Hungarian method: s s -> s."""
  cost = cost - cost.min(axis=1, keepdims=True)
  cost -= cost.min(axis=0, keepdims=True)
  column_of = _first_come(cost == 0)
  while True:
    forest = _augment_all(cost == 0, column_of)
    if (column_of >= 0).all():
      return column_of
    _shift_costs(cost, column_of, *forest)


def _first_come(free):
  """Each row in turn takes the first column that costs nothing: s s -> s."""
  column_of = np.full(len(free), -1)
  taken = np.zeros(len(free), bool)
  for row, candidates in enumerate(free):
    candidates = candidates & ~taken
    if candidates.any():
      column_of[row] = candidates.argmax()
      taken[column_of[row]] = True
  return column_of


def _augment_all(free, column_of):
  """Augments `column_of` in place until no path is left; the last forest."""
  while True:
    row_of = _inverse(column_of)
    root, parent = _grow_forest(free, column_of, row_of)
    ends = np.flatnonzero((parent >= 0) & (row_of < 0))
    if not ends.size:
      return root >= 0, parent >= 0
    _swap_back(column_of, parent, ends[0])


def _grow_forest(free, column_of, row_of):
  """Alternating trees from all unassigned rows at once, layer by layer.

  Where several rows reach a column, it goes to the tree whose root has the
  highest number, and within that tree to the first row.

  Returns:
    root: s  of each row; -1 where not reached.
    parent: s  row from which each column was reached; -1 where it was not.
  """
  root = np.where(column_of < 0, np.arange(len(free)), -1)
  parent = np.full(len(free), -1)
  layer = np.flatnonzero(root >= 0)
  while layer.size:
    layer = layer[np.lexsort((layer, -root[layer]))]
    reach = free[layer] & (parent < 0)
    columns = np.flatnonzero(reach.any(axis=0))
    parent[columns] = layer[reach[:, columns].argmax(axis=0)]
    columns = columns[row_of[columns] >= 0]
    layer = row_of[columns]
    root[layer] = root[parent[columns]]
  return root, parent


def _swap_back(column_of, parent, column):
  """Hands the columns along a path to the rows that reached them."""
  while column >= 0:
    row = parent[column]
    column_of[row], column = column, column_of[row]


def _shift_costs(cost, column_of, row_reached, column_reached):
  """Makes one more pair free, in place; pairs of the matching stay free."""
  covered_row = (column_of >= 0) & ~row_reached
  covered_column = (_inverse(column_of) >= 0) & column_reached
  both = covered_row[:, None] & covered_column
  neither = ~covered_row[:, None] & ~covered_column
  step = cost[neither].min()
  cost[both] += step
  cost[neither] -= step


def _inverse(column_of):
  row_of = np.full(len(column_of), -1)
  rows = np.flatnonzero(column_of >= 0)
  row_of[column_of[rows]] = rows
  return row_of
