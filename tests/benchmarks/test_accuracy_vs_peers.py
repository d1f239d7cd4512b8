import json

import pytest

import accuracy_vs_peers


@pytest.fixture
def run(monkeypatch):
    def run(*words):
        monkeypatch.setattr("sys.argv", ["accuracy_vs_peers.py", *map(str, words)])
        accuracy_vs_peers.main()

    return run


def test_our_models_are_measured_and_peers_that_are_not_set_up_are_named(
    run, drawn_corpus, tiny_model_path, tmp_path, capsys
):
    report = tmp_path / "report.json"
    words = ("--environments", tmp_path / "none", "--json", report, "--rounds", 1)
    run(drawn_corpus, "--models", tiny_model_path, *words)
    assert "not set up; run with --set-up fer" in capsys.readouterr().out
    written = json.loads(report.read_text())
    (name,) = written["results"]
    assert 0 < written["results"][name]["scores"]["n"] <= 70
    assert len(written["speed"][name]["one_face"]) == 1
    assert set(written["left_out"]) >= {"fer", "human"}


def test_models_of_one_name_are_told_apart_by_their_files(run, drawn_corpus, tiny_model_path, tmp_path):
    files = [tmp_path / "one.onnx", tmp_path / "other.onnx"]
    for file in files:
        file.write_bytes(tiny_model_path.read_bytes())
    report = tmp_path / "report.json"
    run(drawn_corpus, "--models", *files, "--environments", tmp_path / "none", "--json", report, "--no-speed")
    written = json.loads(report.read_text())
    assert list(written["results"]) == list(written["heads"]) == list(map(str, files))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--peers", "no-such"], "unknown peer 'no-such'; choose from fer, human"),
        (["--faces", "3"], "--faces must be at least 64, not 3"),
        (["--head", "no-such"], "has no head 'no-such'"),
        (["--models", "no-such"], "unknown model 'no-such'"),
        (["--speed-only", "--no-speed"], "leave nothing to measure"),
        (["--set-up", "no-such"], "unknown peer 'no-such'"),
    ],
)
def test_mistakes_are_told_in_one_line(run, drawn_corpus, tmp_path, capsys, words, message):
    with pytest.raises(SystemExit) as ended:
        run(drawn_corpus, "--environments", tmp_path, *words)
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert message in told
    assert told.count("\n") == 1


def test_a_peer_that_cannot_be_installed_is_remembered(
    run, drawn_corpus, tiny_model_path, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))  # no npm there
    with pytest.raises(SystemExit) as ended:
        run("--environments", tmp_path, "--set-up", "human")
    assert ended.value.code == 1
    assert "human: cannot be installed here: 'npm' is not installed" in capsys.readouterr().out
    run(drawn_corpus, "--models", tiny_model_path, "--environments", tmp_path, "--peers", "human", "--no-speed")
    assert "cannot be installed here: 'npm' is not installed" in capsys.readouterr().out
