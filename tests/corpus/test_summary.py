from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.store import open_corpus, write_corpus
from kaoiro.corpus.summary import count_faces
from kaoiro.expressions import Expression


def test_count_faces(tmp_path):
    happy, sad = Expression.HAPPINESS, Expression.SADNESS
    rows = [(sad, "test"), (happy, "train"), (happy, "train"), (None, "train"), (happy, "test"), (sad, None)]
    votes = [None, (1,) * 10, None, (0,) * 10, None, None]
    faces = [LabelledFace(b".", "a", "b", label, vote, split) for (label, split), vote in zip(rows, votes, strict=True)]
    write_corpus(tmp_path / "c.parquet", faces)
    counts = count_faces(open_corpus(tmp_path / "c.parquet"))
    assert counts.labels == ("happiness", "sadness", None)
    assert counts.splits == ("train", "test", None)
    assert counts.faces == {pair: rows.count(pair) for pair in rows}
    assert [counts.of_label(label) for label in counts.labels] == [3, 2, 1]
    assert [counts.of_split(split) for split in counts.splits] == [3, 2, 1]
    assert counts.total() == 6
    assert counts.with_votes == 2
