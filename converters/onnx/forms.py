"""Names of the files that the child process makes; imported without TensorFlow."""

from __future__ import annotations

FLOAT, QDQ, QOPERATOR = "float.onnx", "qdq.onnx", "qoperator.onnx"
FORMS = {QDQ: "QDQ", QOPERATOR: "QOperator"}
