"""Options of a program from a file (``--config``), and the options of a run back into one.

The file is TOML (or JSON, as a training run keeps it): keys are the long names of options, with ``-`` or ``_``. What
the command line says wins over it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from p2p_keras.core.atomic_files import write_content
from p2p_keras.core.errors import UsageError
from p2p_keras.core.version import __version__

__all__ = ["SETTINGS", "config_option", "read_config", "resolved_options", "settings_text", "write_settings"]

SETTINGS = "p2p_keras.settings"
"""Key of ``Context.meta``: what the file says, by the names of the program's parameters."""
_NOT_OF_A_RESULT = {"quiet"}


def read_config(path: str | Path) -> dict[str, Any]:
    """Names and values of a TOML or JSON file.

    Raises
    ------
    UsageError
        When the file can't be read or parsed.
    """
    path = Path(path).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: can't be read as a configuration file ({error.strerror})") from None
    except (json.JSONDecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a valid configuration file ({error})") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path}: this is not a configuration file: it has no names with values")
    return values


def config_option(further: Sequence[str] = ()) -> click.Option:
    """Make the option ``--config``; `further` are names that the file may have beside the program's options."""

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        if value is None or ctx.resilient_parsing:
            return
        try:
            ctx.meta[SETTINGS] = _by_parameter(ctx.command, read_config(value), value, further)
        except UsageError as error:
            raise click.UsageError(str(error), ctx) from error
        names = {parameter.name for parameter in ctx.command.params}
        ctx.default_map = {name: value for name, value in ctx.meta[SETTINGS].items() if name in names}

    return click.Option(
        ["--config"],
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=read,
        help="TOML file of options, such as zero-point = 22.5. The command line overrides it.",
    )


def _by_parameter(
    command: click.Command, values: Mapping[str, Any], path: str, further: Sequence[str]
) -> dict[str, Any]:
    """Values by the names of the parameters; lists and tables become what the command line would have."""
    parameters = {key: param for param in command.params if param.expose_value for key in _keys(param)}
    given: dict[str, Any] = {}
    for key, value in values.items():
        plain = key.replace("-", "_")
        if plain in further or plain.partition(".")[0] in further:
            given[plain] = value
        elif plain in parameters:
            given[str(parameters[plain].name)] = _as_on_the_command_line(parameters[plain], value)
        else:
            names = sorted({_key_of(param) for param in parameters.values()} | set(further))
            raise UsageError(f"{path}: unknown setting {key!r}; there are {', '.join(names)}")
    return given


def _keys(param: click.Parameter) -> list[str]:
    """All names by which a file may call a parameter."""
    return [str(param.name), *(opt.lstrip("-").replace("-", "_") for opt in param.opts if opt.startswith("--"))]


def _key_of(param: click.Parameter) -> str:
    """The name by which a file is written: the first long option's, or the argument's."""
    return next((opt[2:] for opt in param.opts if opt.startswith("--")), str(param.name))


def _as_on_the_command_line(param: click.Parameter, value: Any) -> Any:
    if isinstance(value, Mapping):
        value = [f"{key}={entry}" for key, entry in value.items()]
    several = getattr(param, "multiple", False) or param.nargs != 1
    if several:
        return value if isinstance(value, list) else [value]
    return ",".join(str(entry) for entry in value) if isinstance(value, list) else value


def resolved_options(ctx: click.Context) -> dict[str, Any]:
    """All options and arguments of a run by their long names, defaults and a configuration file's included."""
    options: dict[str, Any] = {}
    for param in ctx.command.params:
        value = ctx.params.get(str(param.name))
        if not param.expose_value or param.name in _NOT_OF_A_RESULT or value is None or value == ():
            continue
        if isinstance(value, Mapping):
            value = [f"{key}={entry}" for key, entry in value.items()]
        options[_key_of(param)] = value
    return options


def settings_text(ctx: click.Context) -> str:
    """The resolved options as a file that ``--config`` reads; no date, so that the same run gives the same bytes."""
    lines = [f"# p2p_keras {__version__}: the options of this run; {ctx.command_path} --config FILE takes them again"]
    lines += [f"{key} = {_toml(value)}" for key, value in resolved_options(ctx).items()]
    return "\n".join(lines) + "\n"


def write_settings(ctx: click.Context, folder: str | Path, program: str) -> Path:
    """Write the resolved options beside a result, as PROGRAM.toml in its folder.

    Parameters
    ----------
    ctx : click.Context
    folder : path
    program : str
        Names the file.

    Returns
    -------
    Path
    """
    return write_content(Path(folder) / f"{program}.toml", settings_text(ctx))


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
