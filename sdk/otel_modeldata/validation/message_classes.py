"""Classes of Protocol Buffers messages, made from tables of their fields with whatever `protobuf` is installed.

The packages that hold the generated classes require recent releases of `protobuf`: installing them would replace the
one that a working image has. Each call uses a descriptor pool of its own, so these classes and the generated ones can
be loaded by one process. A field that is not in the tables is kept as an unknown field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

if TYPE_CHECKING:
    from collections.abc import Mapping

    Tables = Mapping[str, tuple[str, ...]]

ATTRIBUTE_TABLES: Tables = {
    "AnyValue": (
        "string_value=1 string",
        "bool_value=2 bool",
        "int_value=3 int64",
        "double_value=4 double",
        "array_value=5 ArrayValue",
        "kvlist_value=6 KeyValueList",
        "bytes_value=7 bytes",
    ),
    "ArrayValue": ("values=1 AnyValue*",),
    "KeyValueList": ("values=1 KeyValue*",),
    "KeyValue": ("key=1 string", "value=2 AnyValue"),
}
"""OTLP's attributes: the tables of `opentelemetry/proto/common/v1/common.proto` 1.5."""

STATUS_DETAIL_TABLES: Tables = {
    "Any": ("type_url=1 string", "value=2 bytes"),
    "Duration": ("seconds=1 int64", "nanos=2 int32"),
    "RetryInfo": ("retry_delay=1 Duration",),
}
"""The details of a `google.rpc.Status`, which are messages of `google.protobuf.Any`."""

_ONE_OF = {"AnyValue": "value"}
"""Messages of which one field is set: the name of that group."""


def message_classes(package: str, tables: Tables) -> dict[str, Any]:
    """The classes of all messages of `tables`, by name.

    A table lists the fields of a message: name, number, type, `*` for repeated ones. An enumeration is an int32 on the
    wire. The type of a field may be another message of `tables`.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in tables.items():
        message = file.message_type.add(name=name)
        if name in _ONE_OF:
            message.oneof_decl.add(name=_ONE_OF[name])
        for text in fields:
            _add_field(message, text, package, tables)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    try:
        class_of: Any = message_factory.GetMessageClass
    except AttributeError:  # protobuf before 4.22
        factory: Any = message_factory.MessageFactory(pool)
        class_of = factory.GetPrototype
    return {name: class_of(pool.FindMessageTypeByName(f"{package}.{name}")) for name in tables}


def _add_field(message: descriptor_pb2.DescriptorProto, text: str, package: str, tables: Tables) -> None:
    name, _, rest = text.partition("=")
    number, _, kind = rest.partition(" ")
    is_repeated, kind = kind.endswith("*"), kind.rstrip("*")
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if is_repeated else field.LABEL_OPTIONAL
    if kind in tables:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{package}.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
    if message.name in _ONE_OF:
        field.oneof_index = 0
