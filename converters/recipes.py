"""The names of what can be asked of a conversion, for those who only need the names."""

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")
LAYOUTS = ("split", "gated", "nested-if")
