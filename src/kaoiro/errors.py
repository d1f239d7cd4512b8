"""The errors that Kaoiro raises on purpose.

Each carries one line that says what is wrong, where, and what to do about it. The command line prints that line and
exits with 2; a program catches the class that it cares about, or `InputError` for all that a user can get wrong.
"""


class InputError(ValueError):
    """Something that the user gave cannot be used: a path, a value, a file's content."""


class ImageError(InputError):
    """A picture cannot be read."""


class CorpusError(InputError):
    """A source of labelled faces, or a stored corpus, cannot be used."""


class ModelFileError(InputError):
    """A model file or a checkpoint cannot be used."""


class MissingExtraError(ImportError):
    """A feature needs a package that an optional extra installs."""

    def __init__(self, feature: str, extra: str, package: str) -> None:
        super().__init__(f"{feature} needs {package}; install it with: pip install 'kaoiro[{extra}]'", name=package)
        self.extra = extra
