"""The `kaoiro` command. Each file here is one command and holds no logic of its own."""

import errno
import os
import sys


def main() -> None:
    """Run the `kaoiro` command; what the user got wrong is one line on stderr and exit code 2."""
    from kaoiro.cli.app import app
    from kaoiro.cli.last_line import last_line
    from kaoiro.errors import InputError, MissingExtraError

    try:
        app()
    except (InputError, MissingExtraError) as error:
        last_line(f"kaoiro: {error}")
        sys.exit(2)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        # Python would try to write the rest once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        last_line(f"kaoiro: cannot write the output: {error.strerror}")
        sys.exit(2)
