"""What is added to a survey's plain scene: a sky that is left, masks, what lies in front, fields of any density.

And what the truth is measured by.
"""

from __future__ import annotations

from dataclasses import dataclass

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks import definitions, fields, front, masks, skies
from p2p_keras.data.mocks.mixtures import ANY

__all__ = ["PLAIN", "Extras"]

PLAIN = "survey"
"""As the survey delivers it: its own residual sky, its own defects, usual fields."""


@dataclass(frozen=True)
class Extras:
    """How much of each is added; `PLAIN` leaves a scene as the survey's preset has it.

    Attributes
    ----------
    sky : str
        ``"survey"``, ``"any"``, a key of `skies.SHARES`, or a number: a constant in units of the pixel noise.
    masks : str
        ``"survey"``, ``"any"``, or a key of `masks.SHARES`.
    front : str
        ``"survey"``, ``"any"``, ``"none"``, or kinds of `front.SHARES` and `front.HARD` with commas between.
    field : str
        ``"survey"``, ``"any"``, or a key of `fields.SHARES`.
    truth : str
        What an isophote is: ``"survey"`` (which is ``"fit"``), ``"any"`` (drawn by galaxy), or a key of
        `definitions.SHARES`.

    Raises
    ------
    UsageError
        For a word that none of them knows.
    """

    sky: str = PLAIN
    masks: str = PLAIN
    front: str = PLAIN
    field: str = PLAIN
    truth: str = PLAIN

    def __post_init__(self) -> None:
        if self.sky != PLAIN:
            skies.check_kind(self.sky)
        if self.front != PLAIN:
            front.kinds_of(self.front)
        words = {"masks": masks.SHARES, "field": fields.SHARES, "truth": definitions.SHARES}
        for name, known in ((name, (ANY, *shares)) for name, shares in words.items()):
            if getattr(self, name) not in (PLAIN, *known):
                raise UsageError(f"{name} {getattr(self, name)!r} is unknown; known are {', '.join((PLAIN, *known))}")

    @classmethod
    def of(
        cls,
        survey: str,
        *,
        sky: str | None = None,
        masks: str | None = None,
        front: str | None = None,
        field: str | None = None,
        truth: str | None = None,
    ) -> Extras:
        """The extras of a survey, ``any`` having all of them; what is given takes their place where it isn't None."""
        default = ANY if survey == ANY else PLAIN
        return cls(sky or default, masks or default, front or default, field or default, truth or default)
