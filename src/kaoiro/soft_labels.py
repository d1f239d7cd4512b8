"""What trained models say of the training faces, written beside their labels for smaller models to learn from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kaoiro.corpus.rewriting import rewrite_corpus
from kaoiro.corpus.store import Corpus, open_corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import Expression
from kaoiro.files import atomic_path, check_target, kind_of, reported_writing
from kaoiro.recognition.classifier import head_probabilities
from kaoiro.recognition.model_file import open_model

PREFIX: Final = "teacher"
"""What the columns' names begin with where nothing else is said."""
VIEWS: Final = ((0.0, 1.0), (6.0, 1.0), (-6.0, 1.0), (0.0, 1.08), (0.0, 0.93), (4.0, 1.05), (-4.0, 1.05))
"""Angles in degrees and zooms at which a face may be read; each of them is read mirrored too."""
_AT_A_TIME: Final = 1024
_DECIMALS: Final = 3
"""Finer differences teach nothing, and a file with thousands of numbers per face packs much better without them."""

Columns = dict[str, NDArray[np.float32]]
"""`float32 (n,)` by column name, NaN where nothing is said of a face."""


def teach(
    corpus: Path,
    teachers: Sequence[str | Path],
    *,
    prefix: str = PREFIX,
    split: str = "train",
    views: int = 1,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Columns:
    """Read the faces of one split with some models, and average their probabilities.

    Args:
        corpus: a stored corpus.
        teachers: names of shipped models or model files; they share at least one head with the same classes.
        prefix: what the columns' names begin with; the head and the expression come after it.
        split: whose faces are read.
        views: at how many angles and zooms each face is read, plain and mirrored; the first is the face as it is.
        on_progress: is told now and then which part is done, from 0 to 1.

    Returns:
        Each common head's probabilities for all faces of the corpus, rounded to three decimals.

    Raises:
        InputError: there are no teachers, they have no head in common, the prefix is empty, or the views are too few or
            too many.
        ModelFileError: a teacher cannot be used.
        CorpusError: the corpus cannot be used, or lacks the split.
    """
    if not teachers:
        raise InputError("soft labels need at least one teacher")
    if not 1 <= views <= len(VIEWS):
        raise InputError(f"views must lie between 1 and {len(VIEWS)}, not {views}")
    if not prefix:
        raise InputError("soft labels need a prefix for their columns' names, and it is empty")
    models = [open_model(teacher) for teacher in teachers]
    heads = _common_heads([{name: head.classes for name, head in m.metadata.heads.items()} for m in models], teachers)
    stored = open_corpus(corpus)
    part = stored.select(split)
    sums = {name: np.zeros((len(part), len(classes))) for name, classes in heads.items()}
    passes, done = len(models) * views * len(part), 0
    for model in models:
        for start in range(0, len(part), _AT_A_TIME):
            some = Corpus(part.path, part.table.slice(start, _AT_A_TIME))
            faces = some.decode_faces(model.metadata.size, model.metadata.channels)
            for angle, zoom in VIEWS[:views]:
                seen = _view(faces, angle, zoom)
                for name, found in head_probabilities(model, seen, list(heads), flip_averaging=True).items():
                    sums[name][start : start + _AT_A_TIME] += found / (len(models) * views)
                done += len(seen)
                on_progress(done / passes)
    rows = np.flatnonzero(np.asarray(stored.table["split"].to_pylist(), dtype=object) == split)
    columns: Columns = {}
    for name, classes in heads.items():
        for place, expression in enumerate(classes):
            column = np.full(len(stored), np.nan, np.float32)
            column[rows] = np.round(sums[name][:, place], _DECIMALS)
            columns[f"{prefix}.{name}.{expression}"] = column
    return columns


def _common_heads(
    heads: Sequence[Mapping[str, tuple[Expression, ...]]], teachers: Sequence[str | Path]
) -> dict[str, tuple[Expression, ...]]:
    first = heads[0]
    common = {name: classes for name, classes in first.items() if all(other.get(name) == classes for other in heads)}
    if not common:
        named = "; ".join(f"{t} has {', '.join(h)}" for t, h in zip(teachers, heads, strict=True))
        raise InputError(f"the teachers have no head in common that tells the same expressions apart: {named}")
    return common


def _view(faces: NDArray[np.uint8], angle: float, zoom: float) -> NDArray[np.uint8]:
    """Turn faces `uint8 (n, channels, size, size)` and zoom into them; what lies outside repeats the border."""
    if angle == 0 and zoom == 1:
        return faces
    size = faces.shape[-1]
    middle = (size - 1) / 2
    change = cv2.getRotationMatrix2D((middle, middle), angle, zoom)
    seen = np.empty_like(faces)
    for face, result in zip(faces.reshape(-1, size, size), seen.reshape(-1, size, size), strict=True):
        cv2.warpAffine(face, change, (size, size), dst=result, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return seen


def write_answers(corpus: Path, columns: Columns, target: Path) -> int:
    """Write soft labels without the pictures, a row for each face that has some, and give their number.

    The rows carry the pictures' SHA-256, by which `read_answers` finds their faces again in any corpus.

    Raises:
        InputError: the file cannot be written.
    """
    check_target(target)
    hashes = open_corpus(corpus).table["sha256"].combine_chunks()
    known = np.logical_or.reduce([~np.isnan(values) for values in columns.values()])
    table = pa.table({"sha256": hashes} | {name: _nullable(values) for name, values in columns.items()})
    table = table.filter(pa.array(known))
    with reported_writing(target), atomic_path(target) as path:
        # The hashes as bytes take half the room.
        table = table.set_column(
            0, "sha256", pa.array([bytes.fromhex(h) for h in table["sha256"].to_pylist()], pa.binary(32))
        )
        pq.write_table(table, path, compression="zstd", compression_level=19, use_dictionary=list(columns))
    return len(table)


def read_answers(corpus: Path, answers: Path) -> Columns:
    """Bring soft labels that `write_answers` wrote to the faces of a corpus with the same pictures.

    Raises:
        CorpusError: the corpus cannot be used, the file is no such file, or it knows none of the corpus's pictures.
    """
    if kind_of(answers) != "file":
        raise CorpusError(f"there is no file of soft labels {str(answers)!r}")
    try:
        table = pq.read_table(answers)
    except (pa.ArrowInvalid, OSError) as error:
        raise CorpusError(f"{answers} is not a readable Parquet file of soft labels") from error
    names = [name for name in table.column_names if name != "sha256"]
    if (
        "sha256" not in table.column_names
        or table.schema.field("sha256").type != pa.binary(32)
        or not names
        or not all(pa.types.is_floating(table.schema.field(name).type) for name in names)
    ):
        raise CorpusError(f"{answers} holds no soft labels; `kaoiro data soft-labels --only-answers` writes them")
    places = {digest: row for row, digest in enumerate(table["sha256"].to_pylist())}
    wanted = [places.get(bytes.fromhex(h), -1) for h in open_corpus(corpus).table["sha256"].to_pylist()]
    rows = np.asarray(wanted, np.int64)
    if not (rows >= 0).any():
        raise CorpusError(f"{answers} has soft labels for none of the pictures in {corpus}")
    columns: Columns = {}
    for name in names:
        values = np.asarray(table[name].to_numpy(), np.float32)
        columns[name] = np.where(rows >= 0, values[rows], np.float32(np.nan))
    return columns


def write_taught_corpus(
    corpus: Path, target: Path, columns: Columns, on_progress: Callable[[float], None] = lambda _: None
) -> int:
    """Write a corpus again with soft labels as columns of numbers, and give the number of its faces.

    Where the corpus has such columns already, faces of which the new ones say nothing keep what they have.

    Raises:
        CorpusError: the corpus cannot be read, or the target is the corpus itself or cannot be written.
    """
    stored = open_corpus(corpus)
    for name in set(columns) & set(stored.extra_columns()):
        columns = {**columns, name: np.where(np.isnan(columns[name]), stored.column(name), columns[name])}
    arrays = {name: _nullable(values) for name, values in columns.items()}
    return rewrite_corpus(corpus, target, columns=arrays, on_progress=on_progress)


def heads_of(columns: Iterable[str]) -> list[str]:
    """The prefixes by which heads name these columns: `teacher.ferplus` for `teacher.ferplus.anger` and the like."""
    return list(dict.fromkeys(name.rpartition(".")[0] for name in columns))


def _nullable(values: NDArray[np.float32]) -> pa.Array:
    return pa.array(values, pa.float32(), from_pandas=True)
