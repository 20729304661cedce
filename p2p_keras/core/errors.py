"""What can go wrong with a user's input.

Every error says which file (or setting) it is about and what to do, in one sentence that can be shown as it is:
programs print ``str(error)`` on standard error and go on with the next input (exit status 1) or stop (2).
"""

from __future__ import annotations

__all__ = ["P2PError", "InputError", "MissingCalibrationError", "OutsideImageError", "UsageError"]


class P2PError(Exception):
    """Base of all errors that a user can mend."""


class InputError(P2PError, ValueError):
    """One input (an image, a profile, a record) can't be used; the others can.

    Parameters
    ----------
    source : str or path-like
        The file, record or array at fault, as the user named it.
    cause : str
        What is wrong and, where possible, what to do.
    """

    def __init__(self, source: object, cause: str) -> None:
        super().__init__(f"{source}: {cause}")
        self.source = str(source)
        self.cause = cause

    def __reduce__(self) -> tuple:
        """Pickle by the two arguments, so that worker processes can raise it."""
        return (type(self), (self.source, self.cause))


class MissingCalibrationError(InputError):
    """A zero point or pixel scale can't be known from the file, and none was given."""


class OutsideImageError(InputError):
    """A target doesn't lie on the image, which itself is fine."""


class UsageError(P2PError):
    """The command or call itself is wrong (a missing folder, an unknown setting): nothing was done."""
