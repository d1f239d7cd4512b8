"""Little corpora with planted defects."""

import pytest

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.store import write_corpus


@pytest.fixture
def write(tmp_path):
    """Write faces as a corpus, their sources numbered, and give its file."""

    def write(*faces, name="corpus.parquet"):
        numbered = [
            one
            if one.source != "drawn"
            else LabelledFace(one.image_bytes, one.name, f"drawn:{row}", one.label, one.votes, one.split, one.group)
            for row, one in enumerate(faces)
        ]
        write_corpus(tmp_path / name, numbered)
        return tmp_path / name

    return write


@pytest.fixture
def found(write):
    """Audit faces, and give the findings that found something by their codes."""
    from kaoiro.audit.audit import audit_corpus

    def found(*faces, checks=("duplicates", "labels", "groups", "balance")):
        audit = audit_corpus(write(*faces), checks)
        return {one.kind.code: one for one in audit.found()}

    return found
