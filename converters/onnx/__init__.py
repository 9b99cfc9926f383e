"""A dense network for ONNX Runtime: another choice that its user has, to measure beside ours."""

from .export import Exported, export_onnx

__all__ = ["Exported", "export_onnx"]
