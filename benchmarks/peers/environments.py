"""Every peer's own environment: a virtual environment or a folder with node_modules, made on request."""

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from kaoiro.files import atomic_path
from peers.catalogue import Peer

ADAPTERS = Path(__file__).parent / "adapters"
_READY = "ready.json"
_FAILED = "failed.txt"
_LOG = "install.log"


class SetUpError(Exception):
    """A peer could not be installed; the message says why in one line."""


def set_up(peer: Peer, environments: Path) -> None:
    """Install a peer into a folder of its own, anew if it is there already.

    Raises:
        SetUpError: its installer is missing or failed. The folder then holds the installer's output.
    """
    folder = environments / peer.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        if peer.installer == "npm":
            # A private package keeps npm from walking up to another one.
            (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
            _run(["npm", "install", "--ignore-scripts", "--no-audit", *peer.requirements], folder)
        else:
            _run([sys.executable, "-m", "venv", "."], folder)
            pip = [str(_python(folder)), "-m", "pip", "install"]
            _run([*pip, *peer.needs], folder) if not peer.borrows else _run([*pip, "--no-deps", *peer.needs], folder)
            _run([*pip, "--no-deps", peer.package], folder)
            if peer.borrows:
                (_site_packages(folder) / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n", "utf-8")
    except SetUpError as error:
        (folder / _FAILED).write_text(f"{error}\n", encoding="utf-8")
        raise
    with atomic_path(folder / _READY) as temporary:
        temporary.write_text(json.dumps(peer.requirements), encoding="utf-8")


def problem(peer: Peer, environments: Path) -> str | None:
    """Say why a peer cannot be used; None if it can."""
    folder = environments / peer.name
    if (folder / _FAILED).is_file():
        return f"cannot be installed here: {(folder / _FAILED).read_text(encoding='utf-8').strip()}"
    advice = f"run with --set-up {peer.name}"
    if not (folder / _READY).is_file():
        return f"not set up; {advice}"
    if json.loads((folder / _READY).read_text(encoding="utf-8")) != list(peer.requirements):
        return f"set up for other versions; {advice}"
    return None


def command(peer: Peer, environments: Path) -> tuple[list[str], list[str]]:
    """Give what starts a peer's adapter: the words before and those after the number of the reply's descriptor."""
    folder = (environments / peer.name).resolve()
    adapter = str(ADAPTERS / peer.adapter)
    if peer.installer == "npm":
        return ["node", adapter], [str(folder)]
    return [str(_python(folder)), adapter], []


def _python(folder: Path) -> Path:
    # Not resolved: the link's own place is what tells Python its environment.
    return folder.absolute() / "bin" / "python"


def _site_packages(folder: Path) -> Path:
    return next((folder / "lib").glob("python*")) / "site-packages"


def _run(words: Sequence[str], folder: Path) -> None:
    with (folder / _LOG).open("a", encoding="utf-8") as log:
        try:
            done = subprocess.run(words, cwd=folder, stdout=log, stderr=subprocess.STDOUT, check=False)
        except FileNotFoundError as error:
            raise SetUpError(f"{words[0]!r} is not installed") from error
    if done.returncode:
        lines = (folder / _LOG).read_text(encoding="utf-8", errors="replace").splitlines()
        told = [line for line in lines if "error" in line.lower()] or lines or ["no output"]
        raise SetUpError(f"{told[-1].strip()} (all of it: {folder / _LOG})")
