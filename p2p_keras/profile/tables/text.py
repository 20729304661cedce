"""Text in files of profiles: names and paths in any alphabet, as each format can hold and give them back."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "SENTENCES",
    "joined",
    "length_key",
    "name_key",
    "plain_name",
    "printable",
    "split",
    "text_lengths",
    "to_fits",
    "unescaped_columns",
    "yaml_of_json",
    "yaml_quoted",
    "yaml_unquoted",
]

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


_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?Infinity|NaN|(?<![\d.])-?\d+e[-+]?\d+')
_PERHAPS_NO_KEY = '\\"', ' ": NaN', '[": NaN', '{": NaN'
"""Where a quotation mark before ``: NaN`` may not end a key: it is escaped, or begins a text."""
_WITHOUT_POINT = re.compile(r" -?\d+e"), re.compile(r"\[-?\d+e")
_SURROGATE_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)(\\ud[89ab]..\\ud[c-f]..)")
_YAML_NUMBERS = {"NaN": ".nan", "Infinity": ".inf", "-Infinity": "-.inf"}


def yaml_of_json(text: str) -> str:
    r"""What `json.dumps` made, as YAML 1.1 in flow style, which is the same but for three things.

    NaN and infinities have other names, ``1e-05`` needs a point, and the two halves by which JSON holds a character
    beyond ``\uffff`` aren't joined by readers of YAML.
    """
    # Nearly always this is all that is to be done. A pattern that begins with a choice is tried at each letter: that
    # takes ten times as long.
    if not (text.startswith('": NaN') or any(begin in text for begin in _PERHAPS_NO_KEY)):
        text = text.replace('": NaN,', '": .nan,').replace('": NaN}', '": .nan}')
        other = any(part in text for part in ("Infinity", "NaN", "\\ud"))
        if not other and not any(pattern.search(text) for pattern in _WITHOUT_POINT):
            return text
    return _JSON_TOKEN.sub(_yaml_token, text)


def _yaml_token(match: re.Match[str]) -> str:
    token = match[0]
    if token[0] != '"':
        return _YAML_NUMBERS.get(token) or token.replace("e", ".0e")
    if "\\ud" not in token:
        return token

    def joined_halves(pair: re.Match[str]) -> str:
        character = json.loads('"' + pair[2] + '"')
        return f"{pair[1]}\\U{ord(character):08x}"

    return _SURROGATE_PAIR.sub(joined_halves, token)


_YAML_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\.inf|\.nan')
_YAML_UNLIKE_JSON = re.compile(r"\.nan|\.inf|\\U")
_JSON_NUMBERS = {there: here for here, there in _YAML_NUMBERS.items()}
_LONG_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\U([0-9a-f]{8})")


def json_of_yaml(text: str) -> str:
    """The inverse of `yaml_of_json`. To read it as JSON takes a three-hundredth of the time."""
    return _YAML_TOKEN.sub(_json_token, text) if _YAML_UNLIKE_JSON.search(text) else text


def _json_token(match: re.Match[str]) -> str:
    token = match[0]
    if token[0] != '"':
        return _JSON_NUMBERS[token]
    return _LONG_ESCAPE.sub(lambda found: found[1] + json.dumps(chr(int(found[2], 16)))[1:-1], token)


def yaml_quoted(text: str) -> str:
    """Text as a double-quoted scalar of YAML, in ASCII."""
    return yaml_of_json(json.dumps(text))


def yaml_unquoted(text: str) -> str:
    """What `yaml_quoted` was made of; the text itself where it isn't of that kind."""
    wide = re.sub(r"(?<!\\)((?:\\\\)*)\\U([0-9a-f]{8})", lambda match: match[1] + chr(int(match[2], 16)), text)
    try:
        return str(json.loads(wide))
    except ValueError:
        return text


SENTENCES = ("notes",)
"""Keys of meta whose lists hold sentences; the lists of all others hold words."""

_BETWEEN_SENTENCES = " | "


def joined(values: Sequence[Any]) -> str:
    """A list of meta (flags, notes) as one text, where a format has no lists: words by blanks, sentences by bars."""
    texts = [" ".join(str(value).split()) for value in values]
    return (_BETWEEN_SENTENCES if any(" " in text for text in texts) else " ").join(texts)


def split(key: str, text: str) -> list[str]:
    """The list that `joined` made a text of, under its key in meta."""
    if key in SENTENCES:
        return [part.strip() for part in text.split(_BETWEEN_SENTENCES.strip()) if part.strip()]
    return text.split()


def length_key(column: str) -> str:
    """Key in a Parquet file's metadata under which astropy looks for the length of a column's longest text.

    A column of a numpy array has one length for all its texts, Parquet's has none: without these keys astropy reads
    every row first, and warns.
    """
    return f"table::len::{column}"


def text_lengths(table: pa.Table) -> dict[str, str]:
    """Keys and values (characters of the longest text, at least 1) of all text columns of a table."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = {}
    for field in table.schema:
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            longest = pc.max(pc.utf8_length(table[field.name])).as_py()
            lengths[length_key(field.name)] = str(max(1, longest or 0))
    return lengths
