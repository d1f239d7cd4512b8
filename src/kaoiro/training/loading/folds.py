"""Cross-validation: one fold of the training faces stands for validation, the others are trained on."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kaoiro.corpus.splitting import FOLD
from kaoiro.corpus.store import Corpus
from kaoiro.errors import CorpusError


class Folds:
    """Reads a corpus's folds as splits, a row group at a time.

    Args:
        validation: the number of the fold to validate on.
    """

    def __init__(self, validation: int) -> None:
        self._validation = validation
        self._known: set[int] = set()

    def as_splits(self, corpus: Corpus) -> Corpus:
        """Give the faces of the fold the split `validation`, the training faces of other folds `train`, and no other.

        Raises:
            CorpusError: the corpus has no folds.
        """
        if FOLD not in corpus.extra_columns():
            raise CorpusError(self._no_folds(corpus.path))
        folds = np.where(pc.fill_null(pc.equal(corpus.table["split"], "train"), False), corpus.column(FOLD), np.nan)
        known = ~np.isnan(folds)
        self._known.update(np.unique(folds[known]).astype(int).tolist())
        split = pa.array(np.where(folds == self._validation, "validation", "train"), pa.string(), mask=~known)
        place = corpus.table.schema.get_field_index("split")
        return Corpus(corpus.path, corpus.table.set_column(place, "split", split))

    def check(self, path: Path) -> None:
        """Refuse a fold that no face was in.

        Raises:
            CorpusError: it was in none; the message says which there are.
        """
        if not self._known:
            raise CorpusError(self._no_folds(path))
        if self._validation not in self._known:
            there = f"{min(self._known)} to {max(self._known)}"
            raise CorpusError(f"validation_fold is {self._validation}, and the folds of {path} are {there}")

    def _no_folds(self, path: Path) -> str:
        return f"{path} has no folds for validation_fold; `kaoiro data split {path} -o NEW --folds 5` makes some"
