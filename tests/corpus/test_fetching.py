import http.server
import io
import sys
import tarfile
import threading
from types import ModuleType

import pytest

from kaoiro.corpus.fetching import fetch
from kaoiro.errors import InputError

CSV = b"emotion,pixels,Usage\n" + b"3," + b"9 " * 2303 + b"9,Training\n"


def packed(**files):
    """A tar.gz of files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return archive.getvalue()


ARCHIVE = packed(**{"fer2013/README": b"hello", "fer2013/fer2013.csv": CSV})


@pytest.fixture
def kaggle(tmp_path, monkeypatch):
    """A server in Kaggle's place; `answer` is its status and content, `asked` what it was asked for."""
    kagglehub = pytest.importorskip("kagglehub")
    from kagglehub import clients
    from kagglesdk import kaggle_env

    class Kaggle(http.server.ThreadingHTTPServer):
        answer = (200, ARCHIVE)
        asked = ()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.asked.append((self.path, self.headers["Authorization"], body))
            status, content = self.server.answer
            self.send_response(status)
            self.send_header("Content-Type", "application/x-gzip" if status == 200 else "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = Kaggle(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, endpoint)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KAGGLE_API_TOKEN", "a token")
    for name in ("KAGGLE_API_ENVIRONMENT", "KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(kagglehub.config, "DEFAULT_KAGGLE_CREDENTIALS_FOLDER", str(tmp_path / ".kaggle"))
    monkeypatch.setattr(clients, "already_printed_version_warning", False)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_fer2013(kaggle, tmp_path, capsys):
    fetched = fetch("FER2013", tmp_path / "new folder")
    assert fetched.path == tmp_path / "new folder/fer2013.csv"
    assert fetched.path.read_bytes() == CSV
    assert not fetched.was_there
    assert fetched.next_command == f"kaoiro data import '{fetched.path}' -o '{tmp_path}/new folder/fer2013.parquet'"
    ((path, authorization, body),) = kaggle.asked
    assert path == "/v1/competitions.CompetitionApiService/DownloadDataFile"
    assert authorization == "Bearer a token"
    assert b"challenges-in-representation-learning-facial-expression-recognition-challenge" in body
    assert b"fer2013.tar.gz" in body
    assert capsys.readouterr().out == ""


def test_what_is_there_is_not_fetched_again(kaggle, tmp_path):
    (tmp_path / "fer2013.csv").write_text("mine")
    assert fetch("fer2013", tmp_path).was_there
    assert (tmp_path / "fer2013.csv").read_text() == "mine"
    assert kaggle.asked == []


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (401, r"refuses the API token; make a new one at https://www.kaggle.com/settings/api, or download"),
        (403, r"accept the competition's rules at https://www.kaggle.com/competitions/challenges-.*/rules and"),
        (404, r"Kaggle has fer2013.tar.gz no longer; look for it at https://www"),
        (500, r"Kaggle answers 500 Server Error.*; try again later, or download"),
    ],
)
def test_kaggle_refuses(kaggle, tmp_path, status, line):
    kaggle.answer = (status, b"<html>no</html>")
    one_line(line, tmp_path)


def test_without_a_token(kaggle, tmp_path, monkeypatch):
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    one_line(r"Kaggle wants to know who asks: .*KAGGLE_API_TOKEN or the file ~/.kaggle/access_token, or", tmp_path)


def test_credentials_that_cannot_be_read(kaggle, tmp_path, monkeypatch):
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle/kaggle.json").write_text("{")
    one_line(r"kagglehub: Invalid Kaggle credentials file at .*kaggle.json; mend that, or download", tmp_path)


def test_without_a_network(kaggle, tmp_path, monkeypatch):
    from kagglesdk import kaggle_env

    # Nobody listens on this port.
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, "http://127.0.0.1:1")
    one_line(r"Kaggle cannot be reached; try again with a network, or download", tmp_path)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (ARCHIVE[:60], r"cannot read .*fer2013.tar.gz \(.*\); delete it and fetch again"),
        (b"<html>", r"cannot read .*fer2013.tar.gz \(.*\); delete it and fetch again"),
        (packed(a=b"b"), r"fer2013.tar.gz has no fer2013.csv in it; delete it"),
    ],
    # An archive holds the time at which it was packed: as a name it would differ between parallel test processes.
    ids=["half an archive", "a page", "another archive"],
)
def test_an_archive_that_is_none(kaggle, tmp_path, content, line):
    kaggle.answer = (200, content)
    one_line(line, tmp_path)


def one_line(line, folder):
    with pytest.raises(InputError, match=line) as caught:
        fetch("fer2013", folder)
    assert "\n" not in str(caught.value)
    assert not list(folder.glob("*fer2013*"))


def test_without_kagglehub(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    one_line(
        r"pip install 'kaoiro\[kaggle\]', or download .* by hand, .* and run: kaoiro data import fer2013", tmp_path
    )


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    archive = tmp_path / "in/fer2013.tar.gz"
    archive.parent.mkdir()
    archive.write_bytes(ARCHIVE)
    kagglehub = ModuleType("kagglehub")
    kagglehub.competition_download = lambda competition, path: str(archive)
    kagglehub.exceptions = ModuleType("kagglehub.exceptions")
    kagglehub.exceptions.DataCorruptionError = kagglehub.exceptions.UnauthenticatedError = ZeroDivisionError
    monkeypatch.setitem(sys.modules, "kagglehub", kagglehub)
    monkeypatch.setitem(sys.modules, "kagglehub.exceptions", kagglehub.exceptions)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write '.*/file/fer2013.csv'"):
        fetch("fer2013", tmp_path / "file")
    assert fetch("fer2013", tmp_path / "out").path.read_bytes() == CSV


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("raf-db", "raf-db cannot be fetched by a program: .* http://www.whdeng.cn/raf/model1.html"),
        ("AffectNet", "affectnet cannot be fetched by a program: .* sign an agreement: https://mohammadmahoor.com"),
        ("ck-plus", r"ck\+ cannot be fetched by a program"),
        ("ferplus", r"fer2013\.csv --ferplus fer2013new\.csv -o ferplus\.parquet`$"),
        ("holiday", "'holiday' cannot be fetched; fer2013 can, and for ferplus, raf-db, .* this tells where"),
    ],
)
def test_other_corpora(tmp_path, name, line):
    with pytest.raises(InputError, match=line):
        fetch(name, tmp_path)
