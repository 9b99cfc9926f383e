"""The names of what can be asked of a conversion, for those who only need the names."""

RECIPE_NAMES = ("float32", "float16", "dynamic", "int8", "int16x8")
QUANTIZATIONS = (*RECIPE_NAMES, "auto")
LAYOUTS = ("split", "gated", "nested-if")
IO = ("float", "integer")
INTEGER = ("int8", "int16x8")  # recipes that compute in integers alone
