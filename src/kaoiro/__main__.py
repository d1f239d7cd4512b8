"""`python -m kaoiro` is the `kaoiro` command."""

from kaoiro.cli import main

if __name__ == "__main__":
    main()
