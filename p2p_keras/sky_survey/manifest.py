"""``manifest.json``: what the run was, and which partitions are done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from p2p_keras.core.errors import UsageError
from p2p_keras.core.version import __version__
from p2p_keras.sky_survey.assembly import Done
from p2p_keras.sky_survey.healpix import Partition
from p2p_keras.sky_survey.place import Place

__all__ = ["FILE", "FORMAT", "Manifest", "fingerprint"]

FILE = "manifest.json"
FORMAT = 1
_EDGE = 1 << 20


class Manifest:
    """State of a run in its output; nothing in it tells one machine or day from another.

    Parameters
    ----------
    output : Place
    identity : dict
        All that decides the bytes of the result.
    """

    def __init__(self, output: Place, identity: dict[str, Any]) -> None:
        self._output = output
        self.identity = identity
        self.done: dict[str, Done] = {}
        self.complete = False
        if output.exists(FILE):
            record = json.loads(output.read(FILE))
            if record.get("identity") != json.loads(json.dumps(identity)):
                raise UsageError(
                    f"{output.url}: contains another run ({_difference(record.get('identity') or {}, identity)}); "
                    "name another output, or give --overwrite"
                )
            self.done = {entry["file"]: Done(**entry) for entry in record["partitions"]}
            self.complete = bool(record["complete"])

    def save(self, partitions: Sequence[Partition], *, complete: bool = False) -> None:
        """Write it; `complete` when all else is written."""
        self.complete = complete
        record = {
            "format": FORMAT,
            "program": f"p2p_keras.survey {__version__}",
            "identity": self.identity,
            "complete": complete,
            "partitions_in_all": len(partitions),
            "partitions": [self.done[p.file].as_dict() for p in partitions if p.file in self.done],
        }
        self._output.write(FILE, (json.dumps(record, indent=1) + "\n").encode())


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    other = json.loads(json.dumps(other))
    keys = [key for key in dict.fromkeys([*one, *other]) if one.get(key) != other.get(key)]
    return "another " + ", ".join(keys or ["version"])


def fingerprint(place: Place) -> str:
    """What tells a catalogue from another without reading all of it: names, sizes, first and last MiB of each file."""
    digest = hashlib.sha256()
    files = place.names() if place.files.isdir(place.root) else [("", int(place.files.size(place.root)))]
    for name, size in files:
        digest.update(f"{name} {size}\n".encode())
        with place.open(name) as file:
            digest.update(file.read(_EDGE))
            if size > _EDGE:
                file.seek(max(_EDGE, size - _EDGE))
                digest.update(file.read())
    return digest.hexdigest()
