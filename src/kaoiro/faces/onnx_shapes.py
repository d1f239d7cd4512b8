"""Making an ONNX model that was written for one picture size take any size."""

from collections.abc import Callable, Iterator
from typing import Final

_GRAPH: Final = 7
_INPUT, _OUTPUT, _INNER_VALUES = 11, 12, 13
_TYPE_OF_TENSOR: Final = (2, 1)
_SHAPE: Final = 2

_BYTES: Final = 2

_Edit = Callable[[bytes], bytes | None]


def without_shapes(model: bytes) -> bytes:
    """Remove what an ONNX model declares of the shapes of its inputs, outputs and inner values.

    A model whose operators do not themselves depend on the size (convolutions, pooling by a factor) then takes inputs
    of any size. The bytes are edited as Protocol Buffers (https://protobuf.dev/programming-guides/encoding), with the
    field numbers of `onnx.proto`, so that reading a model does not need the package `onnx`.

    Raises:
        ValueError: the bytes are no Protocol Buffers message.
    """
    model = _edited(model, (_GRAPH, _INNER_VALUES), lambda _: None)
    for values in (_INPUT, _OUTPUT):
        model = _edited(model, (_GRAPH, values, *_TYPE_OF_TENSOR), _without_shape)
    return model


def _without_shape(tensor_type: bytes) -> bytes:
    return b"".join(whole for number, _, whole in _fields(tensor_type) if number != _SHAPE)


def _edited(message: bytes, path: tuple[int, ...], edit: _Edit) -> bytes:
    """Replace every field at a path of field numbers by what `edit` makes of its content; None removes it."""
    number_here, *below = path
    parts = []
    for number, content, whole in _fields(message):
        if number != number_here or content is None:
            parts.append(whole)
            continue
        edited = _edited(content, tuple(below), edit) if below else edit(content)
        if edited is not None:
            parts.append(_varint(number << 3 | _BYTES) + _varint(len(edited)) + edited)
    return b"".join(parts)


def _fields(message: bytes) -> Iterator[tuple[int, bytes | None, bytes]]:
    """Each field's number, its content where it has bytes, and all of its bytes."""
    place = 0
    while place < len(message):
        start = place
        key, place = _read_varint(message, place)
        content = None
        match key & 7:
            case 0:
                _, place = _read_varint(message, place)
            case 1:
                place += 8
            case 5:
                place += 4
            case 2:
                length, place = _read_varint(message, place)
                content = message[place : place + length]
                place += length
            case kind:
                raise ValueError(f"a field of kind {kind}")
        if place > len(message):
            raise ValueError("a field reaches beyond its message")
        yield key >> 3, content, message[start:place]


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    """A number in seven bits a byte, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number has no end")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
