"""Fetching a corpus whose terms let a program do so, and saying where the others are to be had.

FER2013 comes from the pages of the competition for which it was made, through the package `kagglehub`, which asks
Kaggle in the user's name. Kaggle gives it to those who have accepted the competition's rules.
"""

import shlex
import sys
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kaoiro.errors import InputError
from kaoiro.files import atomic_path, check_target, kind_of, reported_writing

if TYPE_CHECKING:
    from requests import RequestException

_COMPETITION: Final = "challenges-in-representation-learning-facial-expression-recognition-challenge"
_PAGE: Final = f"https://www.kaggle.com/competitions/{_COMPETITION}"
_ARCHIVE: Final = "fer2013.tar.gz"
_CSV: Final = "fer2013.csv"
_PIECE: Final = 2**20
_BY_HAND: Final = (
    f"or download {_ARCHIVE} from {_PAGE}/data by hand, unpack it, "
    f"and run: kaoiro data import {_CSV} -o fer2013.parquet"
)
_ACCOUNT: Final = "https://www.kaggle.com/settings/api"

_ELSEWHERE: Final = {
    "ferplus": "votes on FER2013's pictures: download fer2013new.csv from https://github.com/microsoft/FERPlus and "
    "give it to `kaoiro data import fer2013.csv --ferplus fer2013new.csv -o ferplus.parquet`",
    "raf-db": "its authors give it to researchers who write to them: http://www.whdeng.cn/raf/model1.html",
    "affectnet": "its authors give it to professors and heads of laboratories who sign an agreement: "
    "https://mohammadmahoor.com/pages/databases/affectnet/",
    "ck+": "its authors give it to researchers who sign an agreement: https://www.jeffcohn.net/Resources/",
    "jaffe": "its authors give it to researchers who ask for it: https://doi.org/10.5281/zenodo.3451524",
    "sfew": "its authors give it to researchers who sign an agreement: https://cs.anu.edu.au/few/AFEW.html",
    "expw": "for research, from its authors' page: http://mmlab.ie.cuhk.edu.hk/projects/socialrelation/index.html",
}
_OTHER_NAMES: Final = {"rafdb": "raf-db", "ckplus": "ck+", "ck-plus": "ck+", "fer": "fer2013", "fer+": "ferplus"}


@dataclass(frozen=True)
class Fetched:
    """What was fetched.

    Attributes:
        path: the file or folder.
        was_there: nothing had to be fetched.
        next_command: what makes a corpus of it.
    """

    path: Path
    was_there: bool
    next_command: str


def fetch(name: str, folder: Path) -> Fetched:
    """Fetch a published corpus into a folder, which is made where it is missing.

    A file that is there already is left as it is.

    Args:
        name: of the corpus, for example `fer2013`.
        folder: where its files go.

    Raises:
        InputError: it is not one that can be fetched, kagglehub is not installed, Kaggle cannot be reached or refuses,
            or the file cannot be written. The message says what to do.
    """
    name = name.strip().lower()
    name = _OTHER_NAMES.get(name, name)
    if name in _ELSEWHERE:
        raise InputError(f"{name} cannot be fetched by a program: {_ELSEWHERE[name]}")
    if name != "fer2013":
        raise InputError(f"{name!r} cannot be fetched; fer2013 can, and for {', '.join(_ELSEWHERE)} this tells where")
    target = check_target(folder / _CSV)
    there = kind_of(target) == "file"
    if not there:
        _unpack(_downloaded(), target)
    parquet = folder / "fer2013.parquet"
    return Fetched(
        folder / _CSV, there, shlex.join(["kaoiro", "data", "import", str(folder / _CSV), "-o", str(parquet)])
    )


def _downloaded() -> Path:
    """Let kagglehub download the archive into its cache, or find it there."""
    # kagglehub prints its remarks on the standard output that it finds when it is imported.
    with redirect_stdout(sys.stderr):
        try:
            import kagglehub
        except ModuleNotFoundError as error:
            if error.name != "kagglehub":
                raise
            raise InputError(
                f"fetching FER2013 needs kagglehub; install it with: pip install 'kaoiro[kaggle]', {_BY_HAND}"
            ) from error
        with _plain_errors():
            return Path(kagglehub.competition_download(_COMPETITION, path=_ARCHIVE))


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn what kagglehub raises into one line."""
    from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError
    from requests import ConnectionError as NoConnection
    from requests import RequestException, Timeout

    try:
        yield
    except UnauthenticatedError as error:
        raise InputError(
            f"Kaggle wants to know who asks: make an API token at {_ACCOUNT} and put it into the environment variable "
            f"KAGGLE_API_TOKEN or the file ~/.kaggle/access_token, {_BY_HAND}"
        ) from error
    except DataCorruptionError as error:
        raise InputError(f"{_ARCHIVE} came damaged from Kaggle; fetch it again, {_BY_HAND}") from error
    except (NoConnection, Timeout) as error:
        raise InputError(f"Kaggle cannot be reached; try again with a network, {_BY_HAND}") from error
    except RequestException as error:
        if error.response is not None:
            error.response.close()  # kagglehub leaves it open
        raise InputError(_refused(error)) from error
    except ValueError as error:  # credentials that cannot be read
        raise InputError(f"kagglehub: {_first_line(error)}; mend that, {_BY_HAND}") from error
    except OSError as error:
        raise InputError(f"kagglehub cannot write the download: {error}") from error


def _refused(error: "RequestException") -> str:
    status = None if error.response is None else error.response.status_code
    if status == 401:
        return f"Kaggle refuses the API token; make a new one at {_ACCOUNT}, {_BY_HAND}"
    if status == 403:
        return f"Kaggle refuses FER2013; accept the competition's rules at {_PAGE}/rules and fetch it again, {_BY_HAND}"
    if status == 404:
        return f"Kaggle has {_ARCHIVE} no longer; look for it at {_PAGE}/data"
    return f"Kaggle answers {_first_line(error)}; try again later, {_BY_HAND}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _unpack(archive: Path, target: Path) -> None:
    content = _content_of_csv(archive)
    with reported_writing(target), atomic_path(target) as partial, partial.open("wb") as file:
        file.writelines(content)


def _content_of_csv(archive: Path) -> Iterator[bytes]:
    """Read the CSV file inside, piece by piece."""
    try:
        with tarfile.open(archive, "r:*") as tar:
            member = next((one for one in tar if one.isfile() and Path(one.name).name == _CSV), None)
            content = None if member is None else tar.extractfile(member)
            while content is not None and (piece := content.read(_PIECE)):
                yield piece
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise InputError(f"cannot read {archive} ({_first_line(error)}); delete it and fetch again") from error
    if content is None:
        raise InputError(f"{archive} has no {_CSV} in it; delete it and fetch again")
