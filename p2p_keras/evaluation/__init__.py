"""How well a model measures galaxies whose true profiles are known.

``run`` measures them, ``galaxy`` compares one with its truth, ``classical`` is photutils as a method beside the models,
``summary`` puts the figures together. ``report`` prints them, ``drawings`` and ``html`` show them, ``write`` puts all
into a folder; single panels are in `p2p_keras.evaluation.error_figures` and `p2p_keras.evaluation.coverage_figures`.
"""

from __future__ import annotations

from p2p_keras.evaluation.classical import ClassicalMethod
from p2p_keras.evaluation.galaxy import GalaxyResult, compare_with_truth
from p2p_keras.evaluation.run import Evaluation, evaluate_models
from p2p_keras.evaluation.summary import summarise_evaluation

__all__ = [
    "ClassicalMethod",
    "Evaluation",
    "GalaxyResult",
    "compare_with_truth",
    "evaluate_models",
    "summarise_evaluation",
]
