"""The message tf.Example without TensorFlow, whose import takes as long as a thousand mocks.

Its definition (tensorflow/core/example/example.proto and feature.proto) is a public format that can't change: files and
servers hold on to its numbers. A pool of our own keeps it apart from TensorFlow's, should both be loaded.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["example_class"]

_LISTS = {"BytesList": "TYPE_BYTES", "FloatList": "TYPE_FLOAT", "Int64List": "TYPE_INT64"}


@cache
def example_class() -> Any:
    """The class of the message tensorflow.Example."""
    from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    one, many = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED
    message_type = FieldDescriptorProto.TYPE_MESSAGE

    def part(name: str, number: int, kind: str, label: Any = one, **more: Any) -> FieldDescriptorProto:
        return FieldDescriptorProto(
            name=name, number=number, label=label, type=message_type, type_name=f".tensorflow.{kind}", **more
        )

    messages = []
    for name, kind in _LISTS.items():
        value = FieldDescriptorProto(name="value", number=1, label=many, type=FieldDescriptorProto.Type.Value(kind))
        messages.append(DescriptorProto(name=name, field=[value]))
    feature = DescriptorProto(
        name="Feature",
        field=[
            part("bytes_list", 1, "BytesList", oneof_index=0),
            part("float_list", 2, "FloatList", oneof_index=0),
            part("int64_list", 3, "Int64List", oneof_index=0),
        ],
    )
    feature.oneof_decl.add(name="kind")
    key = FieldDescriptorProto(name="key", number=1, label=one, type=FieldDescriptorProto.TYPE_STRING)
    entry = DescriptorProto(name="FeatureEntry", field=[key, part("value", 2, "Feature")])
    entry.options.map_entry = True
    features = DescriptorProto(
        name="Features", field=[part("feature", 1, "Features.FeatureEntry", many)], nested_type=[entry]
    )
    example = DescriptorProto(name="Example", field=[part("features", 1, "Features")])
    pool = DescriptorPool()
    pool.Add(
        FileDescriptorProto(
            name="tensorflow/example.proto",
            package="tensorflow",
            syntax="proto3",
            message_type=[*messages, feature, features, example],
        )
    )
    return GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))
