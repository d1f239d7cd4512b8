"""The `kaoiro` command. Each file here is one command and holds no logic of its own."""

import sys


def main() -> None:
    """Run the `kaoiro` command; what the user got wrong is one line on stderr and exit code 2."""
    from kaoiro.cli.app import app
    from kaoiro.errors import InputError, MissingExtraError

    try:
        app()
    except (InputError, MissingExtraError) as error:
        print(f"kaoiro: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
