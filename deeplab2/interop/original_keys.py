"""Our variable paths as keys of google-research/deeplab2's checkpoints.

Its checkpoints are object graphs of legacy Keras: private attributes with a
leading underscore, below a few named items. Our attributes have the same names
without it, so that one rule and a short table are the whole conversion.
"""

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"

# Prefix of ours -> prefix of the original's. The semantic head is two items
# there; the parts of the mask head are an item each.
_ITEMS = (
  ("semantic_head/conv_block/", "semantic_head_without_last_layer/"),
  ("semantic_head/final_conv/", "semantic_last_layer/"),
  ("mask_head/", ""),
)

# Items of the original that are ours as well; all others are of the mask head.
_SHARED_ITEMS = frozenset({"encoder", "semantic_decoder"})

# Attributes that the original holds without an underscore.
_PUBLIC = frozenset({"conv_block", "final_conv"})

_DEPTHWISE = "depthwise_"


def original_key(path: str) -> str:
  """The checkpoint key, without `SUFFIX`, of the variable at `path`.

  "encoder/stage4/block2/shortcut/conv/kernel" is
  "encoder/_stage4/_block2/_shortcut/_conv/kernel".
  """
  for ours, theirs in _ITEMS:
    if path.startswith(ours):
      path = theirs + path.removeprefix(ours)
      break
  item, *attributes, leaf = path.split("/")
  if attributes and attributes[-1] == "depthwise_conv":
    leaf = f"{_DEPTHWISE}{leaf}"
  private = [a if a in _PUBLIC else f"_{a}" for a in attributes]
  return "/".join([item, *private, leaf])


def our_path(key: str) -> str:
  """The path whose `original_key` is `key`; the same rule, backwards.

  A key that no model of ours has becomes a path that none has.
  """
  item, *attributes, leaf = key.split("/")
  if attributes and attributes[-1] == "_depthwise_conv":
    leaf = leaf.removeprefix(_DEPTHWISE)
  public = [a.removeprefix("_") for a in attributes]
  path = "/".join([item, *public, leaf])
  for ours, theirs in _ITEMS:
    if theirs and path.startswith(theirs):
      return ours + path.removeprefix(theirs)
  return path if item in _SHARED_ITEMS else f"mask_head/{path}"
