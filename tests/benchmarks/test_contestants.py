import shutil
import sys

import numpy as np
import pytest

from kaoiro.errors import InputError
from kaoiro.expressions import EIGHT, Expression
from peers.catalogue import PEERS
from peers.contestant import Contestant, ContestantError, read_labels
from peers.environments import ADAPTERS, command, problem
from peers.speed import BATCH, measure_in_turns, ratio

# Answers with the pixel in the corner, which the test sets to the answer's place.
_ADAPTER = """
import numpy as np
from serving import serve

def load():
    print("a package that talks")
    return lambda faces: np.eye(3)[faces[:, 0, 0]], ["Happy", "angry", "Surprised"]

serve(load, ("numpy",))
"""


@pytest.fixture
def adapters(tmp_path):
    """A folder for adapters written in a test, with what serves them."""
    for name in ("serving.py", "serving.js"):
        shutil.copy(ADAPTERS / name, tmp_path)
    return tmp_path


@pytest.fixture
def talking(adapters):
    path = adapters / "talking.py"
    path.write_text(_ADAPTER)
    with Contestant("talking", [sys.executable, str(path)]) as contestant:
        yield contestant


def _faces(corners):
    faces = np.zeros((len(corners), 48, 48), np.uint8)
    faces[:, 0, 0] = corners
    return faces


def test_answers_are_places_in_our_vocabulary(talking):
    corners = np.arange(150) % 3
    expected = np.array([Expression.HAPPINESS, Expression.ANGER, Expression.SURPRISE])[corners]
    assert [EIGHT[place] for place in talking.answers(_faces(corners))] == list(expected)
    assert talking.versions == {"numpy": np.__version__}
    assert Expression.CONTEMPT in talking.missing
    assert Expression.ANGER not in talking.missing


def test_times_are_taken_in_turns(talking):
    speeds = measure_in_turns([talking], _faces(np.zeros(BATCH, int)), 1, pytest.fail)
    (speed,) = speeds.values()
    assert len(speed.one_face) == len(speed.throughput) == 1
    assert 0 < speed.one_face[0] < 1


@pytest.mark.parametrize(
    ("code", "said"),
    [("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"), ("", "it said nothing")],
)
def test_a_classifier_that_ends_says_why(adapters, code, said):
    path = adapters / "ending.py"
    path.write_text(code)
    with pytest.raises(ContestantError, match=f"^ending stopped: {said}"):
        Contestant("ending", [sys.executable, str(path)])


def test_a_classifier_that_ends_later_is_left_out_of_the_timing(adapters):
    path = adapters / "breaking.py"
    path.write_text(_ADAPTER.replace("np.eye(3)[faces[:, 0, 0]]", "1 / 0"))
    failures = {}
    with Contestant("breaking", [sys.executable, str(path)]) as contestant:
        speeds = measure_in_turns([contestant], _faces(np.zeros(BATCH, int)), 2, failures.__setitem__)
    assert speeds == {}
    assert str(failures["breaking"]) == "breaking stopped: ZeroDivisionError: division by zero"


def test_a_command_that_is_not_there():
    with pytest.raises(ContestantError, match=r"x does not start: .*no-such-command"):
        Contestant("x", ["no-such-command"])


@pytest.mark.parametrize(
    ("labels", "message"),
    [(["happy", "joy"], "'joy', which is a repeated"), (["happy", "bored"], "'bored', which is no ")],
)
def test_labels_that_are_no_expressions(labels, message):
    with pytest.raises(InputError, match=f"x answers {message}"):
        read_labels("x", labels)


def test_our_own_model_answers_through_its_adapter(tiny_model_path):
    from kaoiro.recognition.classifier import Classifier
    from kaoiro.recognition.model_file import open_model

    model = open_model(tiny_model_path)
    head = model.metadata.default_head
    classifier = Classifier(model, head, contempt=Expression.CONTEMPT in model.metadata.heads[head].classes)
    faces = np.random.default_rng(0).integers(0, 256, (70, 48, 48), np.uint8)
    expected = [classifier.expressions[place] for place in classifier.probabilities(faces).argmax(axis=1)]
    words = [sys.executable, str(ADAPTERS / "kaoiro_adapter.py")]
    with Contestant("tiny", words, [str(tiny_model_path), head, "plain", "1"]) as contestant:
        assert [EIGHT[place] for place in contestant.answers(faces)] == expected


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_packages_of_npm_answer_like_those_of_python(adapters):
    (adapters / "package.json").write_text("{}")
    path = adapters / "corner.js"
    path.write_text("""
        const { SIDE, serve } = require('./serving.js');
        async function load() {
          console.log('a package that talks');
          const classify = async (faces, n) => {
            const scores = new Float32Array(n * 2);
            for (let i = 0; i < n; i++) scores[i * 2 + faces[i * SIDE * SIDE]] = 1;
            return scores;
          };
          return { classify, labels: ['sad', 'neutral'] };
        }
        serve(load, []);
    """)
    corners = np.arange(100) // 3 % 2
    with Contestant("corner", ["node", str(path)], [str(adapters)]) as contestant:
        answers = contestant.answers(_faces(corners))
        assert len(contestant.seconds(_faces(corners), 2, 0.0)) == 1
    assert [EIGHT[place] for place in answers] == [
        (Expression.SADNESS, Expression.NEUTRAL)[corner] for corner in corners
    ]


def test_ratios_are_of_the_same_round():
    found = ratio([2.0, 8.0, 3.0], [1.0, 2.0, 3.0])
    assert (found.value, found.low, found.high) == (2, 1, 4)


@pytest.mark.parametrize("peer", PEERS.values(), ids=lambda peer: peer.name)
def test_every_peer_has_an_adapter_and_says_when_it_is_not_set_up(peer, tmp_path):
    assert (ADAPTERS / peer.adapter).is_file()
    assert problem(peer, tmp_path) == f"not set up; run with --set-up {peer.name}"
    (tmp_path / peer.name).mkdir()
    (tmp_path / peer.name / "ready.json").write_text('["another==1.0"]')
    assert problem(peer, tmp_path) == f"set up for other versions; run with --set-up {peer.name}"
    (tmp_path / peer.name / "failed.txt").write_text("'npm' is not installed\n")
    assert problem(peer, tmp_path) == "cannot be installed here: 'npm' is not installed"


def test_peers_run_in_their_own_environments(tmp_path):
    before, after = command(PEERS["fer"], tmp_path)
    assert (before[0], after) == (str(tmp_path / "fer" / "bin" / "python"), [])
    assert command(PEERS["human"], tmp_path)[1] == [str(tmp_path / "human")]
