"""The one stored form of labelled faces: a Parquet file, one row a face.

| column | type | meaning |
|---|---|---|
| `image` | struct<bytes: binary, path: string> | the picture as an encoded file (PNG, JPEG, …) and the name it had |
| `label` | string | an expression of `kaoiro.expressions`, or null where only votes exist |
| `votes` | list<uint8> | raters' votes in the order of `VOTE_NAMES`, or null |
| `split` | string | `train`, `validation`, `test`, or null where the source has none |
| `source` | string | where the row came from, for example `fer2013.csv:17` |
| `sha256` | string | SHA-256 of `image.bytes`, in hexadecimal |

A file may have columns of numbers or booleans beside these, for example `valence` and `arousal`; they are kept, and a
model can learn them (`Corpus.column`). Columns of other types are left out when a corpus is read.

The `image` column follows the Hugging Face `Image` feature, and the file's metadata say so.
"""

import json
from typing import Final

import pyarrow as pa

from kaoiro.expressions import VOTE_NAMES

SPLITS: Final = ("train", "validation", "test")
FORMAT_VERSION: Final = 1

_HUGGING_FACE_FEATURES = {
    "image": {"_type": "Image"},
    "label": {"dtype": "string", "_type": "Value"},
    "votes": {"feature": {"dtype": "uint8", "_type": "Value"}, "_type": "List"},
    "split": {"dtype": "string", "_type": "Value"},
    "source": {"dtype": "string", "_type": "Value"},
    "sha256": {"dtype": "string", "_type": "Value"},
}

SCHEMA: Final = pa.schema(
    [
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("label", pa.string()),
        ("votes", pa.list_(pa.field("element", pa.uint8()))),
        ("split", pa.string()),
        ("source", pa.string()),
        ("sha256", pa.string()),
    ],
    metadata={
        "kaoiro.corpus": json.dumps({"version": FORMAT_VERSION, "votes": VOTE_NAMES}),
        "huggingface": json.dumps({"info": {"features": _HUGGING_FACE_FEATURES}}),
    },
)
