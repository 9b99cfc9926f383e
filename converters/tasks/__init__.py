"""Conversions by task: one for each kind of answer. Imports no TensorFlow."""

from __future__ import annotations

from edge_experts.features import Features
from edge_experts.registry import Registry
from edge_experts.run_folder import Run

from .conversion_task import ConversionTask

__all__ = ["CONVERSIONS", "ConversionTask", "open_conversion"]

CONVERSIONS = Registry(
    "edge_experts.conversions",
    {
        "classification": f"{__name__}.classification:ClassificationConversion",
        "translation": f"{__name__}.translation:TranslationConversion",
        "regression": f"{__name__}.regression:RegressionConversion",
        "language-model": f"{__name__}.language_model:LanguageConversion",
        "multi-label": f"{__name__}.multi_label:MultiLabelConversion",
        "anomaly": f"{__name__}.anomaly:AnomalyConversion",
    },
)


def open_conversion(run: Run, features: Features) -> ConversionTask:
    """Create the conversion of a run.

    Raises:
        MissingPartError: no installed package provides its task.
    """
    task: ConversionTask = CONVERSIONS.get(run.task_type)(run, features)
    return task
