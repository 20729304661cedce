"""The models of a page: loaded once for all who look at it, the first one while the page's libraries are imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from p2p_keras.core.errors import UsageError

if TYPE_CHECKING:
    from p2p_keras.measure.attention import AttentionReader
    from p2p_keras.measure.backends import Backend
    from p2p_keras.measure.predictor import Predictor

__all__ = ["Models"]


class Models:
    """Models by their names, each loaded once for all sessions when it is first needed.

    Parameters
    ----------
    names : tuple of str or None
        Of those that a page may ask for; None is the shipped model.
    threads : int, optional
    """

    def __init__(self, names: tuple[str | None, ...] = (None,), threads: int | None = None) -> None:
        self.names, self.threads = names, threads
        self._begun: Callable[[], Backend] | None = None
        self._loaded: dict[str | None, Predictor] = {}
        self._attention: dict[str | None, AttentionReader] = {}

    def begin(self) -> None:
        """Start to load the first model, see `p2p_keras.measure.backends.begin_loading`."""
        from p2p_keras.measure.backends import begin_loading

        self._begun = begin_loading(self.names[0], threads=self.threads)

    def load(self, name: str | None = None) -> Predictor:
        """Load a model; one that the page wasn't started with is refused.

        Raises
        ------
        UsageError
        """
        from p2p_keras.measure.predictor import Predictor

        if name not in self.names:
            raise UsageError(f"--model {name}: the page wasn't started with this model")
        if name not in self._loaded:
            begun = self._begun if name == self.names[0] else None
            self._loaded[name] = Predictor.load(name, threads=self.threads) if begun is None else Predictor(begun())
        return self._loaded[name]

    def attention(self, name: str | None = None) -> AttentionReader:
        """Load what reads a model's attention: its Keras file, by TensorFlow.

        Raises
        ------
        UsageError
            There is no such file, or its network has no attention.
        ModuleNotFoundError
            Keras or its backend isn't installed.
        """
        from p2p_keras.measure.attention import AttentionReader

        if name not in self.names:
            raise UsageError(f"--model {name}: the page wasn't started with this model")
        if name not in self._attention:
            self._attention[name] = AttentionReader.load(name)
        return self._attention[name]
