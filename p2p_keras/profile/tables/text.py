"""Text in files of profiles: names and paths in any alphabet, as each format can hold and give them back."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

__all__ = ["printable", "plain_name", "name_key", "to_fits", "unescaped_columns", "yaml_quoted", "yaml_unquoted"]

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
"""Control characters, breaks of lines, and the halves of pairs by which Python holds a file name that isn't UTF-8."""


def printable(text: str) -> str:
    r"""Text without characters that no text file can hold: ``\u2028`` and the like in their place."""
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def plain_name(name: str) -> str:
    """A galaxy's name on one line, without blanks at its ends, which some formats drop."""
    return printable(re.sub("[\t\n\v\f\r\x85\u2028\u2029]+", " ", name).strip())


def name_key(name: str) -> str:
    """What two names have in common that some file system takes for one: case, and how accents are composed."""
    return unicodedata.normalize("NFC", name).casefold()


def to_fits(text: str) -> str:
    r"""Text as FITS may have it, which is ASCII alone: ``\xe9`` for an e with an acute accent, ``\\`` for a backslash.

    A blank at the end is escaped too: FITS takes it for filling.
    """
    escaped = text.encode("unicode_escape").decode("ascii")
    return f"{escaped[:-1]}\\x20" if escaped.endswith(" ") else escaped


def from_fits(text: str) -> str:
    """The inverse of `to_fits`."""
    if "\\" not in text:
        return text
    try:
        return text.encode("ascii").decode("unicode_escape")
    except UnicodeError:  # a backslash of another program's, or of a Windows path of before
        return text


def unescaped_columns(table: Any) -> Any:
    """A table read from FITS with its columns of text as `from_fits` has them; changed in place."""
    for name in table.colnames:
        if table[name].dtype.kind == "U":
            table[name] = [from_fits(str(text)) for text in table[name]]
    return table


def yaml_quoted(text: str) -> str:
    r"""Text as a double-quoted scalar of YAML, in ASCII.

    JSON's, but for characters beyond ``\uffff``, whose two halves of JSON aren't joined by readers of YAML.
    """

    def escaped(match: re.Match[str]) -> str:
        code = ord(match[0])
        return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"

    return re.sub("[^\x20-\x7e]", escaped, json.dumps(text, ensure_ascii=False))


def yaml_unquoted(text: str) -> str:
    """What `yaml_quoted` was made of; the text itself where it isn't of that kind."""
    wide = re.sub(r"(?<!\\)((?:\\\\)*)\\U([0-9a-f]{8})", lambda match: match[1] + chr(int(match[2], 16)), text)
    try:
        return str(json.loads(wide))
    except ValueError:
        return text
