"""The assignment problem by shortest augmenting paths, in tensor operations.

Exact, batched, rectangular either way, with static shapes: it runs inside a
jit-compiled step and on accelerators without a host.

Letters: b batch, k rows (ground-truth masks), n columns (slots).

Rows enter one at a time. Each keeps a price, and so does each column, such
that no reduced cost (cost - row price - column price) is negative and those of
the assigned pairs are zero. A row enters along the path of least reduced cost
to a free column, found as Dijkstra's algorithm finds it; the pairs on the path
change partners. When no column is free, the path ends at a row instead, whose
column is taken away for good: the one whose loss costs least, the newcomer
included. (Jonker and Volgenant, 1987; Crouse, 2016, for rectangles.)
"""

from typing import NamedTuple

from keras import ops

from deeplab2 import structures

FAR = 3e38  # beyond every path; finite, so that no difference is NaN


class _Matching(NamedTuple):
  holder: structures.Tensor  # b n  int32 row that holds each column; or -1
  row_price: structures.Tensor  # b k  float32
  column_price: structures.Tensor  # b n  float32


class _Paths(NamedTuple):
  """Shortest paths from one entering row to the columns, while they grow."""

  length: structures.Tensor  # b n  float32 reduced cost of the path
  via: structures.Tensor  # b n  int32 row from which the column was reached
  final: structures.Tensor  # b n  bool; the path cannot become shorter
  last: structures.Tensor  # b  int32 column that became final last
  row: structures.Tensor  # b  int32 row from which the search goes on
  so_far: structures.Tensor  # b  float32 length of the path to that row
  searching: structures.Tensor  # b  bool


def assign(cost, present):
  """Gives each row a column of its own at least total cost.

  Args:
    cost: b k n  float32, finite.
    present: b k  bool; the other rows take no part.

  Returns:
    b k  int32 column of each row. With no more present rows than columns each
    of them has one; otherwise each column is used, and the rows left over have
    -1, as the absent ones have.
  """
  cost = ops.stop_gradient(cost)
  batch, rows, columns = ops.shape(cost)
  position = ops.arange(rows, dtype="int32")
  # Present rows first, so that the loop ends with the fullest image.
  order = ops.argsort(ops.where(present, position, position + rows), axis=1)
  entering = ops.sum(ops.cast(present, "int32"), axis=1)
  matching = _Matching(
    holder=ops.full((batch, columns), -1, dtype="int32"),
    row_price=ops.zeros((batch, rows)),
    column_price=ops.zeros((batch, columns)),
  )

  def enter_next(step, *matching):
    row = ops.cast(ops.take(order, step, axis=1), "int32")
    matching = _enter(cost, _Matching(*matching), row, step < entering)
    return step + 1, *matching

  _, holder, *_ = ops.while_loop(
    lambda step, *_: step < ops.max(entering),
    enter_next,
    (ops.convert_to_tensor(0, dtype="int32"), *matching),
  )
  return _columns_of_rows(holder, rows)


def _enter(cost, matching, row, active):
  """Lets `row` (b) enter the matching of each image that is `active` (b)."""
  paths = _search(cost, matching, row, active)
  end, stays_out = _path_end(matching, paths)
  active = ops.logical_and(active, ops.logical_not(stays_out))
  row_price, column_price = _new_prices(matching, paths, row, active)
  holder = _swap_along(matching.holder, paths.via, row, end, active)
  return _Matching(holder, row_price, column_price)


def _search(cost, matching, row, active):
  """Grows paths from `row` to the nearest free column, or else to all."""
  zeros = ops.zeros_like(matching.column_price)
  paths = _Paths(
    length=zeros + FAR,
    via=ops.zeros_like(matching.holder),
    final=ops.zeros_like(matching.holder, dtype="bool"),
    last=ops.zeros_like(row),
    row=row,
    so_far=zeros[:, 0],
    searching=active,
  )
  paths = ops.while_loop(
    lambda *paths: ops.any(_Paths(*paths).searching),
    lambda *paths: tuple(_grow(cost, matching, _Paths(*paths))),
    tuple(paths),
  )
  return _Paths(*paths)


def _grow(cost, matching, paths):
  """Makes one more column final in each image that is still searching."""
  step = _row_of(cost, paths.row) - matching.column_price
  step += _column(paths.so_far - _pick(matching.row_price, paths.row))
  shorter = ops.logical_and(step < paths.length, ops.logical_not(paths.final))
  shorter = ops.logical_and(shorter, _column(paths.searching))
  length = ops.where(shorter, step, paths.length)
  via = ops.where(shorter, _column(paths.row), paths.via)

  nearest = ops.cast(
    ops.argmin(ops.where(paths.final, FAR, length), 1), "int32"
  )
  here = ops.logical_and(_is_at(nearest, length), _column(paths.searching))
  final = ops.logical_or(paths.final, here)
  holder = _pick(matching.holder, nearest)
  done = ops.logical_or(holder < 0, ops.all(final, axis=1))
  return _Paths(
    length=length,
    via=via,
    final=final,
    last=ops.where(paths.searching, nearest, paths.last),
    row=ops.where(holder >= 0, holder, paths.row),
    so_far=ops.where(paths.searching, _pick(length, nearest), paths.so_far),
    searching=ops.logical_and(paths.searching, ops.logical_not(done)),
  )


def _path_end(matching, paths):
  """The column (b) where the path ends, and whether (b) the row stays out."""
  free = _pick(matching.holder, paths.last) < 0
  # Taking the column of a row gives back what the row had to pay for it.
  held_price = _pick(matching.row_price, ops.maximum(matching.holder, 0))
  loss = paths.length - held_price
  cheapest = ops.cast(ops.argmin(loss, axis=1), "int32")
  stays_out = ops.logical_and(ops.logical_not(free), ops.min(loss, axis=1) >= 0)
  return ops.where(free, paths.last, cheapest), stays_out


def _new_prices(matching, paths, row, active):
  """Prices under which the path costs nothing and nothing costs less."""
  slack = _column(paths.so_far) - paths.length
  moves = ops.logical_and(paths.final, _column(active))
  slack = ops.where(moves, slack, 0.0)  # b n
  rows = ops.arange(ops.shape(matching.row_price)[1], dtype="int32")
  held = ops.expand_dims(matching.holder, 1) == ops.expand_dims(rows, 1)
  rise = ops.where(held, ops.expand_dims(slack, 1), 0.0)  # b k n
  row_price = matching.row_price + ops.sum(rise, axis=2)
  entry = ops.where(active, paths.so_far, 0.0)
  row_price += ops.where(_is_at(row, row_price), _column(entry), 0.0)
  return row_price, matching.column_price - slack


def _swap_along(holder, via, row, end, active):
  """Hands each column on the path to the row from which it was reached."""

  def swap(holder, column, active):
    taker = _pick(via, column)
    # The column that the taker held until now is the next to be handed on.
    next_column = ops.argmax(holder == _column(taker), axis=1)
    here = ops.logical_and(_is_at(column, holder), _column(active))
    active = ops.logical_and(active, taker != row)
    holder = ops.where(here, _column(taker), holder)
    return holder, ops.cast(next_column, "int32"), active

  return ops.while_loop(
    lambda holder, column, active: ops.any(active), swap, (holder, end, active)
  )[0]


def _columns_of_rows(holder, rows):
  """Inverts the matching: b n row of each column -> b k column of each row."""
  row = ops.expand_dims(ops.arange(rows, dtype="int32"), 1)
  holds = ops.expand_dims(holder, 1) == row  # b k n
  column = ops.arange(ops.shape(holder)[1], dtype="int32")
  return ops.max(ops.where(holds, column, -1), axis=2)


def _row_of(cost, row):
  """cost[b, row[b]]: b k n, b -> b n."""
  index = ops.reshape(row, (-1, 1, 1))
  return ops.squeeze(ops.take_along_axis(cost, index, axis=1), 1)


def _pick(values, index):
  """values[b, index]: b n, b -> b; or b k, b n -> b n."""
  if len(index.shape) == 2:
    return ops.take_along_axis(values, index, axis=1)
  return ops.squeeze(ops.take_along_axis(values, _column(index), axis=1), 1)


def _is_at(index, like):
  """Whether each position of `like` (b n) is `index` (b): b n bool."""
  return ops.arange(ops.shape(like)[1], dtype="int32") == _column(index)


def _column(values):
  return ops.expand_dims(values, 1)
