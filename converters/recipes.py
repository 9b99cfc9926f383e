"""The names of the quantizations, for those who only need to name one."""

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")
