"""What a model file says about itself: the JSON in its ONNX metadata under the key `kaoiro`."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Self

from kaoiro.errors import InputError, ModelFileError
from kaoiro.expressions import Expression

METADATA_KEY: Final = "kaoiro"
FORMAT_VERSION: Final = 1
INPUT_NAME: Final = "faces"


@dataclass(frozen=True)
class Head:
    """One output of the model: probabilities, `float32 (batch, len(classes))`, under the head's own name."""

    classes: tuple[Expression, ...]
    temperature: float
    """What the logits are divided by before the softmax; already applied in the graph, kept here for the record."""
    target: Literal["label", "votes"] = "label"
    """What it learned: a corpus's labels, or the distribution of its raters' votes."""
    prior: tuple[float, ...] | None = None
    """How frequent each class was in what it learned from, in the order of `classes`; None where that is not known."""
    scales: tuple[float, ...] | None = None
    """Where each class is calibrated on its own: what its logit is multiplied by; the temperature is then the inverse
    of their mean. Already applied in the graph."""
    biases: tuple[float, ...] | None = None
    """What is then added to each class's logit; already applied in the graph."""

    def __post_init__(self) -> None:
        if self.prior is None:
            return
        if len(self.prior) != len(self.classes):
            raise ModelFileError(
                f"a head's prior needs one frequency a class, {len(self.classes)}, but it has {len(self.prior)}"
            )
        if not (all(math.isfinite(p) and p >= 0 for p in self.prior) and sum(self.prior) > 0):
            raise ModelFileError(f"a head's prior needs frequencies of at least 0 that are not all 0, not {self.prior}")


@dataclass(frozen=True)
class Crop:
    """How the model wants a face cut out of a photo: a square about a point of the detector's box.

    The square's side is `side` times the longer side of the box; its centre lies `shift_x`, `shift_y` (in units of
    the square's side, right and down positive) from the centre of the box.
    """

    side: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.side < math.inf and math.isfinite(self.shift_x) and math.isfinite(self.shift_y)):
            raise InputError(f"a crop needs a side above 0 and finite shifts, not {self}")


@dataclass(frozen=True)
class ModelMetadata:
    """Everything that a model file needs beside its graph to be used and judged."""

    name: str
    size: int
    """Side of the square input, in pixels."""
    channels: int
    """1 for grey, 3 for RGB. The graph takes `faces: uint8 (batch, channels, size, size)`, values 0 to 255."""
    heads: dict[str, Head]
    default_head: str
    crop: Crop = field(default_factory=Crop)
    licence: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    """How the weights came about: corpus, recipe, seed, epochs, versions, date."""
    scores: dict[str, Any] = field(default_factory=dict)
    """What was measured, each with its n and protocol."""

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT_VERSION, **asdict(self)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ModelFileError: the text is no such JSON, lacks a part, or comes from a newer version.
        """
        try:
            parts = json.loads(text)
            version = int(parts.pop("format"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"the model file's metadata cannot be read: {error!r}") from error
        if version > FORMAT_VERSION:
            raise ModelFileError(
                f"the model file has format {version}, newer than {FORMAT_VERSION} which this version reads; "
                "upgrade with: pip install -U kaoiro"
            )
        try:
            heads = {
                name: Head(
                    tuple(Expression(c) for c in head["classes"]),
                    float(head["temperature"]),
                    "votes" if head["target"] == "votes" else "label",
                    *(_numbers(head.get(key)) for key in ("prior", "scales", "biases")),
                )
                for name, head in parts.pop("heads").items()
            }
            metadata = cls(heads=heads, crop=Crop(**parts.pop("crop")), **parts)
        except InputError as error:
            raise ModelFileError(f"the model file's metadata cannot be used: {error}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"the model file's metadata cannot be read: {error!r}") from error
        if metadata.default_head not in metadata.heads:
            raise ModelFileError(f"the default head {metadata.default_head!r} is none of {sorted(heads)}")
        return metadata


def _numbers(values: Any) -> tuple[float, ...] | None:
    return None if values is None else tuple(float(value) for value in values)
