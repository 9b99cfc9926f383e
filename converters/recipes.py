"""Names of recipes and layouts, importable without the converters."""

RECIPE_NAMES = ("float32", "float16", "dynamic", "int8", "int16x8")
INT4 = "int4"  # of language models
QUANTIZATIONS = (*RECIPE_NAMES, INT4, "auto")
LAYOUTS = ("split", "gated", "nested-if")
IO = ("float", "integer")
INTEGER = ("int8", "int16x8")  # recipes that compute only in integers
