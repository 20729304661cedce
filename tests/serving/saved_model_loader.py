"""TensorFlow Serving's own loader without TensorFlow's Python: load a SavedModel by the tag "serve", print its mu.

A script: ``python -I saved_model_loader.py LIBRARY SAVED_MODEL IMAGE.f32 SIDE EXAMPLE`` and six tensors of the graph
(NAME:INDEX): image, zero_point, pixel_scale and mu of serving_default, examples and mu of serialized_example. It calls
the C functions of TensorFlow's library, which call LoadSavedModel in C++.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from pathlib import Path

FLOAT, STRING = 1, 7
"""TF_DataType."""
STRING_BYTES = 24
"""Size of a TF_TString."""
SCALAR = {"TF_TensorElementCount": ctypes.c_int64, "TF_GetCode": ctypes.c_int, "TF_Message": ctypes.c_char_p}
"""What functions give; all others give a pointer or nothing."""


class Output(ctypes.Structure):
    """TF_Output: a tensor of a graph."""

    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


class Library:
    """TensorFlow's C functions, with a status and a graph."""

    def __init__(self, path: str) -> None:
        self.functions = ctypes.CDLL(path)
        self.status, self.graph = self.call("TF_NewStatus"), self.call("TF_NewGraph")

    def call(self, name: str, *arguments):
        """Call a function; an int is passed as size_t, None as a null pointer."""
        function = getattr(self.functions, name)
        function.restype = SCALAR.get(name, ctypes.c_void_p)
        return function(*(ctypes.c_size_t(a) if isinstance(a, int) else a for a in arguments))

    def pointer(self, name: str, *arguments) -> ctypes.c_void_p:
        """Call a function that gives a pointer; exit with its sentence where it fails."""
        found = ctypes.c_void_p(self.call(name, *arguments))
        if self.call("TF_GetCode", ctypes.c_void_p(self.status)):
            sys.exit(self.call("TF_Message", ctypes.c_void_p(self.status)).decode())
        return found

    def load(self, folder: str) -> ctypes.c_void_p:
        """A session of the SavedModel, its graph in `self.graph`."""
        tags = (ctypes.c_char_p * 1)(b"serve")
        options = self.pointer("TF_NewSessionOptions")
        rest = (tags, 1, ctypes.c_void_p(self.graph), None, ctypes.c_void_p(self.status))
        return self.pointer("TF_LoadSessionFromSavedModel", options, None, folder.encode(), *rest)

    def output(self, name: str) -> Output:
        """A tensor of the graph by its name."""
        operation, _, index = name.partition(":")
        found = self.call("TF_GraphOperationByName", ctypes.c_void_p(self.graph), operation.encode())
        if not found:
            sys.exit(f"no operation {operation}")
        return Output(found, int(index))

    def floats(self, shape: tuple[int, ...], data: bytes) -> ctypes.c_void_p:
        """A tensor of float32."""
        dimensions = (ctypes.c_int64 * len(shape))(*shape)
        tensor = self.pointer("TF_AllocateTensor", FLOAT, dimensions, len(shape), len(data))
        ctypes.memmove(self.call("TF_TensorData", tensor), data, len(data))
        return tensor

    def text(self, data: bytes) -> ctypes.c_void_p:
        """A tensor of one string."""
        tensor = self.pointer("TF_AllocateTensor", STRING, (ctypes.c_int64 * 1)(1), 1, STRING_BYTES)
        place = ctypes.c_void_p(self.call("TF_TensorData", tensor))
        self.call("TF_StringInit", place)
        self.call("TF_StringCopy", place, data, len(data))
        return tensor

    def run(self, session: ctypes.c_void_p, inputs: dict[str, ctypes.c_void_p], wanted: str) -> list[float]:
        """Numbers of one tensor, given others."""
        count = len(inputs)
        names = (Output * count)(*map(self.output, inputs))
        values = (ctypes.c_void_p * count)(*(tensor.value for tensor in inputs.values()))
        answer, asked = (ctypes.c_void_p * 1)(), (Output * 1)(self.output(wanted))
        rest = (asked, answer, 1, None, 0, None, ctypes.c_void_p(self.status))
        self.pointer("TF_SessionRun", session, None, names, values, count, *rest)
        tensor = ctypes.c_void_p(answer[0])
        number = self.call("TF_TensorElementCount", tensor)
        data = ctypes.string_at(self.call("TF_TensorData", tensor), 4 * number)
        return list(struct.unpack(f"{number}f", data))


def main(path: str, folder: str, image_file: str, side: str, example_file: str, *tensors: str) -> None:
    """Print mu of both signatures, a number a line."""
    image, zero_point, pixel_scale, mu, examples, mu_of_examples = tensors
    library = Library(path)
    session = library.load(folder)
    of_image = {
        image: library.floats((1, int(side), int(side)), Path(image_file).read_bytes()),
        zero_point: library.floats((1,), struct.pack("f", 22.5)),
        pixel_scale: library.floats((1,), struct.pack("f", 0.4)),
    }
    of_example = {examples: library.text(Path(example_file).read_bytes())}
    for inputs, wanted in ((of_image, mu), (of_example, mu_of_examples)):
        for number in library.run(session, inputs, wanted):
            print(f"{number:.9g}")


if __name__ == "__main__":
    main(*sys.argv[1:])
