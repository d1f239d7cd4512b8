"""A classifier in a process of its own, asked through its adapter."""

import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.expressions import EIGHT, Expression, parse_expression


class ContestantError(Exception):
    """A classifier's process ended or answered nonsense; the message says in one line what it said last."""


class Contestant:
    """A running adapter.

    Args:
        name: what it is called in tables.
        before: the command's words before the number of the reply's descriptor.
        after: its words after that number.

    Raises:
        ContestantError: it does not start, or one of its answers is no expression.
    """

    def __init__(self, name: str, before: Sequence[str], after: Sequence[str] = ()) -> None:
        self.name = name
        self._folder = TemporaryDirectory(prefix="peers-")
        self._errors = Path(self._folder.name, "stderr")
        reading, writing = os.pipe()
        try:
            with self._errors.open("wb") as errors:
                self._process = subprocess.Popen(
                    [*before, str(writing), *after],
                    stdin=subprocess.PIPE,
                    stdout=errors,
                    stderr=errors,
                    pass_fds=[writing],
                    text=True,
                )
        except OSError as error:
            os.close(reading)
            self._folder.cleanup()
            raise ContestantError(f"{name} does not start: {error}") from error
        finally:
            os.close(writing)
        self._replies = os.fdopen(reading, encoding="utf-8")
        greeting = self._reply()
        self.versions: dict[str, str] = greeting["versions"]
        try:
            self.expressions = read_labels(name, greeting["labels"])
        except InputError as error:
            self.close()
            raise ContestantError(str(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def missing(self) -> tuple[Expression, ...]:
        """The expressions that it cannot answer."""
        return tuple(expression for expression in EIGHT if expression not in self.expressions)

    def answers(self, faces: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Classify faces, `uint8 (n, 48, 48)`: the place in `EIGHT` of each one's likeliest expression, `(n,)`.

        Of equal scores the first one counts.

        Raises:
            ContestantError: its process ended.
        """
        path = Path(self._folder.name, "scores")
        self._ask(faces=self._write(faces), scores=str(path))
        scores = np.fromfile(path, "<f4").reshape(len(faces), len(self.expressions))
        places = np.array([EIGHT.index(expression) for expression in self.expressions])
        return np.asarray(places[scores.argmax(axis=1)], np.int64)

    def seconds(self, faces: NDArray[np.uint8], batch: int, budget: float) -> list[float]:
        """Time calls on batches of these faces one after the other, at least one, until `budget` seconds are over.

        Raises:
            ContestantError: its process ended.
        """
        seconds: list[float] = self._ask(faces=self._write(faces), batch=batch, budget=budget)["seconds"]
        return seconds

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._replies.close()
        self._folder.cleanup()

    def _write(self, faces: NDArray[np.uint8]) -> str:
        path = Path(self._folder.name, "faces")
        faces.tofile(path)
        return str(path)

    def _ask(self, **words: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the end of the replies says what happened
            print(json.dumps(words), file=self._process.stdin, flush=True)
        return self._reply()

    def _reply(self) -> dict[str, Any]:
        line = self._replies.readline()
        if not line:
            said = self._errors.read_text(encoding="utf-8", errors="replace").split("\n")
            last = [text.strip() for text in said if "Error" in text] or [text.strip() for text in said if text.strip()]
            self.close()
            raise ContestantError(f"{self.name} stopped: {last[-1] if last else 'it said nothing'}")
        reply: dict[str, Any] = json.loads(line)
        return reply


def read_labels(name: str, labels: Sequence[str]) -> tuple[Expression, ...]:
    """Read a classifier's names of its answers.

    Raises:
        InputError: one of them is no expression, or two are the same.
    """
    expressions = []
    for label in labels:
        expression = parse_expression(label)
        if expression is None or expression in expressions:
            raise InputError(
                f"{name} answers {label!r}, which is {'no' if expression is None else 'a repeated'} expression"
            )
        expressions.append(expression)
    return tuple(expressions)
