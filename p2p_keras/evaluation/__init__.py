"""How well a model measures galaxies whose true profiles are known.

``run`` measures them, ``galaxy`` compares one with its truth, ``summary`` puts the figures together, ``report`` prints
and writes them; the drawings are in `p2p_keras.plots.evaluation`.
"""

from __future__ import annotations

from p2p_keras.evaluation.galaxy import GalaxyResult, compare_with_truth
from p2p_keras.evaluation.run import Evaluation, evaluate_models
from p2p_keras.evaluation.summary import summarise_evaluation

__all__ = ["Evaluation", "GalaxyResult", "compare_with_truth", "evaluate_models", "summarise_evaluation"]
