"""Dense networks for ONNX Runtime: a baseline to measure beside a bundle."""

from .onnx_export import Exported, export_onnx

__all__ = ["Exported", "export_onnx"]
