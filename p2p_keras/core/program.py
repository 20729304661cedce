"""What all programs share: how an error becomes a sentence on standard error and an exit status.

A program is a click command of this class::

    @click.command(cls=Program)
    def main(...): ...

Exit status: 0 all done, 1 some inputs failed, 2 wrong usage (also: a package of an extra isn't installed).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from p2p_keras.core.errors import P2PError, UsageError

EXTRA_OF_PACKAGE = {
    "photutils": "pack",
    "sep": "pack",
    "grpc": "serve",
    "grpc_health": "serve",
    "grpc_reflection": "serve",
    "prometheus_client": "serve",
    "tensorflow_serving": "serve",
    "pyarrow": "parquet",
    "cdshealpix": "survey",
    "fsspec": "survey",
    "ray": "survey",
}
REQUIRED = {
    "astropy": "astropy",
    "google": "protobuf",
    "google_crc32c": "google-crc32c",
    "keras": "TensorFlow with Keras",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "rich": "rich",
    "scipy": "scipy",
    "tensorboard": "tensorboard",
    "tensorflow": "TensorFlow with Keras",
    "tf2onnx": "tf2onnx",
}
"""What the package itself needs, by the name of the import. Who only measures may have left some of it out."""


class NotInstalled(click.ClickException):
    """A package that the program needs is missing."""

    exit_code = 2


def missing_package(error: ModuleNotFoundError) -> str | None:
    """Say how to install the package whose import failed; None if it is none of ours (then it is a bug)."""
    package = (error.name or "").partition(".")[0]
    if package in EXTRA_OF_PACKAGE:
        return f"this needs the package {package!r}: pip install 'p2p-keras[{EXTRA_OF_PACKAGE[package]}]'"
    if package in REQUIRED:
        return f"this needs {REQUIRED[package]}, not installed here: pip install p2p-keras brings what is missing"
    return None


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn errors that a user can mend into click's; anything else is a bug and keeps its traceback."""
    try:
        yield
    except UsageError as error:
        raise click.UsageError(str(error), click.get_current_context(silent=True)) from error
    except P2PError as error:
        raise click.ClickException(str(error)) from error  # exit status 1
    except ModuleNotFoundError as error:
        sentence = missing_package(error)
        if sentence is None:
            raise
        raise NotInstalled(sentence) from error


class Program(click.Command):
    """A click command whose errors are sentences and whose help shows every default."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        common = {"show_default": True, "max_content_width": 100, "help_option_names": ["-h", "--help"]}
        kwargs["context_settings"] = common | (kwargs.get("context_settings") or {})
        super().__init__(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with user_errors():
            return super().invoke(ctx)
