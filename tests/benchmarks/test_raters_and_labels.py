import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import raters_and_labels
from kaoiro.corpus.store import open_corpus


@pytest.fixture
def named_amiss(drawn_corpus, tmp_path):
    """Faces of which all ten raters say the expression after the label's."""
    table = pq.read_table(drawn_corpus)
    votes = np.zeros((len(table), 10), np.uint8)
    votes[np.arange(len(table)), (open_corpus(drawn_corpus).label_indices() + 1) % 7] = 10
    column = table.schema.get_field_index("votes")
    table = table.set_column(column, table.schema.field("votes"), pa.array(votes.tolist(), table.schema.types[column]))
    pq.write_table(table, tmp_path / "amiss.parquet")
    return tmp_path / "amiss.parquet"


def test_votes_tell_the_label_even_where_their_majority_is_never_right(named_amiss, tiny_model_path):
    rows = raters_and_labels.measure(named_amiss, [str(tiny_model_path)])
    rates = [right.mean() for right in rows.values()]
    assert [len(right) for right in rows.values()] == [70] * 4
    assert rates[:2] == [0, 1]
    assert rates[3] > 0.9 > rates[2]


def test_a_corpus_without_votes_is_refused(drawn_corpus, tmp_path, tiny_model_path, monkeypatch, capsys):
    table = pq.read_table(drawn_corpus)
    column = table.schema.get_field_index("votes")
    none = pa.nulls(len(table), table.schema.types[column])
    pq.write_table(table.set_column(column, table.schema.field("votes"), none), tmp_path / "plain.parquet")
    monkeypatch.setattr("sys.argv", ["x", str(tmp_path / "plain.parquet"), "--models", str(tiny_model_path)])
    with pytest.raises(SystemExit) as ended:
        raters_and_labels.main()
    assert ended.value.code == 2
    assert "has no votes; import FER2013 with --ferplus" in capsys.readouterr().err
