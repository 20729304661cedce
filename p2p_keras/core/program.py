"""What all programs share: how an error becomes a sentence on standard error and an exit status.

A program is a click command of this class::

    @click.command(cls=Program)
    def main(...): ...

Exit status: 0 all done, 1 some inputs failed, 2 wrong usage (also: a package of an extra isn't installed).

Every program has ``--config FILE`` and ``--log-file FILE`` from here, and takes `quiet_option`; the words that programs
share stand in one table in CONTRIBUTING.md, to which a test holds them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from textwrap import shorten
from traceback import format_exc
from typing import Any

import click

from p2p_keras.core import quiet_tensorflow
from p2p_keras.core.errors import P2PError, UsageError
from p2p_keras.core.log_file import log_file_option, note_in_log
from p2p_keras.core.settings_file import SETTINGS, config_option

__all__ = [
    "OLD_NAMES_GO",
    "quiet_option",
    "column_option",
    "EXTRA_OF_PACKAGE",
    "REQUIRED",
    "NotInstalled",
    "missing_package",
    "user_errors",
    "Program",
]

OLD_NAMES_GO = "0.4"
"""Version with which old names of options go."""

quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Print only errors on standard error, no progress and no notes."
)


def _columns(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Read KEY=NAME pairs."""
    pairs = [value.partition("=") for value in values]
    if wrong := [value for value, (_, sign, name) in zip(values, pairs, strict=True) if not (sign and name)]:
        raise click.BadParameter(f"{wrong[0]!r}: give KEY=NAME, as ra=RAJ2000")
    return {key: name for key, _, name in pairs}


def column_option(keys: str) -> Any:
    """``--column KEY=NAME`` for a program that reads a catalogue; its value is a dict.

    Parameters
    ----------
    keys : str
        What its columns may mean, for the help.
    """
    return click.option(
        "--column",
        "columns",
        multiple=True,
        metavar="KEY=NAME",
        callback=_columns,
        help=f"Read KEY from the catalogue's column NAME. Keys: {keys}.  [default: by the usual names]",
    )


EXTRA_OF_PACKAGE = {
    "photutils": "pack",
    "sep": "pack",
    "regions": "regions",
    "grpc": "serve",
    "grpc_health": "serve",
    "grpc_reflection": "serve",
    "prometheus_client": "serve",
    "tensorflow_serving": "serve",
    "pyarrow": "parquet",
    "cdshealpix": "survey",
    "fsspec": "survey",
    "ray": "survey",
    "panel": "view",
    "bokeh": "view",
    "param": "view",
    "tornado": "view",
}
REQUIRED = {
    "astropy": "astropy",
    "google": "protobuf",
    "google_crc32c": "google-crc32c",
    "jinja2": "jinja2",
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
        return f"this needs {REQUIRED[package]}, which is not installed: pip install p2p-keras adds what is missing"
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


_FROM_FILE = click.core.ParameterSource.DEFAULT_MAP
_SHOW_ALL = "p2p_keras.help_all"
_HELP = "_click_default_help"  # the name that click gives its own option


_ONE_LINE = 68


def _first_words(text: str) -> str:
    """What an option's help begins with, on one line: its first sentence, or as much of it as ends at a stop."""
    sentence = text.split(".  [")[0].split(". ")[0]
    if len(sentence) > _ONE_LINE:
        ends = [match.start() for match in re.finditer("[:;,] ", sentence) if match.start() <= _ONE_LINE]
        sentence = sentence[: ends[-1]] if ends else shorten(sentence, _ONE_LINE, placeholder="...")
    return sentence.rstrip(".")


def _help_all_option() -> click.Option:
    def show(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            ctx.meta[_SHOW_ALL] = True
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()

    return click.Option(
        ["--help-all"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show all options, in groups.",
    )


class Program(click.Command):
    """A click command whose errors are sentences and whose help shows every default.

    Parameters
    ----------
    groups : mapping of str to sequence of str, optional
        Heading -> names of its options. Then ``--help`` shows only the common ones, on one screen, and ``--help-all``
        all of them under their headings.
    common : sequence of str
        Names of the options that ``--help`` shows.
    old : mapping of str to str, optional
        Old long name of an option -> today's. Old names work, with a note on standard error. One that is an option of
        its own (hidden, since its value means something else) keeps its own value.
    settings : bool
        Whether the program has ``--config`` and ``--log-file``.
    further_settings : sequence of str
        Names that its configuration file may have beside options.
    """

    def __init__(
        self,
        *args: Any,
        groups: Mapping[str, Sequence[str]] | None = None,
        common: Sequence[str] = (),
        old: Mapping[str, str] | None = None,
        settings: bool = True,
        further_settings: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        self.groups, self.common, self.old = groups, common, dict(old or {})
        defaults = {"show_default": True, "max_content_width": 100, "help_option_names": ["-h", "--help"]}
        kwargs["context_settings"] = defaults | (kwargs.get("context_settings") or {})
        more = [config_option(further_settings), log_file_option()] if settings else []
        more += [_help_all_option()] if groups is not None else []
        kwargs["params"] = [*(kwargs.get("params") or []), *more]
        super().__init__(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line, old names and a configuration file included."""
        own = {opt for param in self.params for opt in param.opts}
        words, notes, options_end = [], [], False
        for word in args:
            options_end = options_end or word == "--"
            name, sign, value = word.partition("=")
            if not options_end and name in self.old:
                notes.append(f"note: {name} is now {self.old[name]}; the old name goes with version {OLD_NAMES_GO}")
                word = word if name in own else self.old[name] + sign + value
            words.append(word)
        try:
            rest = super().parse_args(ctx, words)
        except click.BadParameter as error:
            given = error.param.name if error.param is not None else None
            if given in ctx.meta.get(SETTINGS, {}) and ctx.get_parameter_source(str(given)) == _FROM_FILE:
                cause = f"{error.message} (in the configuration file)"
                raise click.BadParameter(cause, error.ctx, error.param, error.param_hint) from error
            raise
        for note in [] if ctx.resilient_parsing or ctx.params.get("quiet") else notes:
            click.echo(note, err=True)
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options: the common ones, or all in groups."""
        if self.groups is None:
            super().format_options(ctx, formatter)
            return
        params: list[click.Parameter] = self.get_params(ctx)
        records = {param.name: param.get_help_record(ctx) for param in params}
        shown = {name: record for name, record in records.items() if record is not None}
        if not ctx.meta.get(_SHOW_ALL):
            with formatter.section("Common options"):
                rows = [shown[name] for name in (*self.common, "help_all", _HELP) if name in shown]
                formatter.write_dl([(name, _first_words(text)) for name, text in rows])
            return
        grouped = {name for names in self.groups.values() for name in names}
        rest = [name for name in shown if name not in grouped]
        for heading, names in (*self.groups.items(), ("Other", tuple(rest))):
            rows = [shown[name] for name in names if name in shown]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        quiet_tensorflow.install()
        try:
            with user_errors():
                return super().invoke(ctx)
        except click.ClickException as error:  # shown when the log file is closed already
            note_in_log(f"Error: {error.format_message()}")
            raise
        except Exception:
            note_in_log(format_exc().rstrip())
            raise
