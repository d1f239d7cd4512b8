"""The one stored form of labelled faces: a Parquet file, one row a face.

| column | type | meaning |
|---|---|---|
| `image` | struct<bytes: binary, path: string> | the picture as an encoded file (PNG, JPEG, …) and the name it had |
| `label` | string | an expression of `kaoiro.expressions`, or null where only votes exist |
| `votes` | list<uint8> | raters' votes in the order of `VOTE_NAMES`, or null |
| `split` | string | `train`, `validation`, `test`, or null where the source has none |
| `source` | string | where the row came from, for example `fer2013.csv:17` |
| `sha256` | string | SHA-256 of `image.bytes`, in hexadecimal |
| `group` | string | what the face shares with others that must stay in one split (a subject, a film), or null |

A file of version 1 has no `group`; it is read as one whose groups are all null.

A file may have columns of numbers or booleans beside these, for example `valence` and `arousal`; they are kept, and a
model can learn them (`Corpus.column`). Columns of other types are left out when a corpus is read.

The `image` column follows the Hugging Face `Image` feature, and the file's metadata say so.
"""

import json
from collections.abc import Iterable
from typing import Final

import pyarrow as pa

from kaoiro.expressions import VOTE_NAMES

SPLITS: Final = ("train", "validation", "test")
FORMAT_VERSION: Final = 2
READABLE_VERSIONS: Final = (1, 2)

# Arrow's names of types where Hugging Face has others.
_HUGGING_FACE_TYPES = {"float": "float32", "double": "float64", "halffloat": "float16"}
_HUGGING_FACE_FEATURES = {
    "image": {"_type": "Image"},
    "label": {"dtype": "string", "_type": "Value"},
    "votes": {"feature": {"dtype": "uint8", "_type": "Value"}, "_type": "List"},
    "split": {"dtype": "string", "_type": "Value"},
    "source": {"dtype": "string", "_type": "Value"},
    "sha256": {"dtype": "string", "_type": "Value"},
    "group": {"dtype": "string", "_type": "Value"},
}

_FIELDS = [
    pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    pa.field("label", pa.string()),
    pa.field("votes", pa.list_(pa.field("element", pa.uint8()))),
    pa.field("split", pa.string()),
    pa.field("source", pa.string()),
    pa.field("sha256", pa.string()),
    pa.field("group", pa.string()),
]


def schema_with(numbers: Iterable[pa.Field] = ()) -> pa.Schema:
    """Give the schema of a corpus that has columns of numbers or booleans beside the usual ones."""
    extra = list(numbers)
    features = _HUGGING_FACE_FEATURES | {
        field.name: {"dtype": _HUGGING_FACE_TYPES.get(str(field.type), str(field.type)), "_type": "Value"}
        for field in extra
    }
    metadata = {
        "kaoiro.corpus": json.dumps({"version": FORMAT_VERSION, "votes": VOTE_NAMES}),
        "huggingface": json.dumps({"info": {"features": features}}),
    }
    return pa.schema([*_FIELDS, *extra], metadata)


SCHEMA: Final = schema_with()
