"""Which packages are installed, without importing them."""

import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Final

SHOWN: Final = (
    "numpy",
    "opencv-python-headless",
    "onnxruntime",
    "pillow",
    "torch",
    "torchvision",
    "lightning",
    "torchmetrics",
    "timm",
    "pyarrow",
    "onnx",
    "openvino",
    "av",
    "ray",
)
"""The packages whose versions are shown."""


def version_of(package: str) -> str | None:
    """A package's version; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def versions(packages: Iterable[str] = SHOWN) -> dict[str, str | None]:
    """The version of each package; None where it is not installed."""
    return {package: version_of(package) for package in packages}


def least_versions(requirements: Iterable[str] | None = None) -> dict[str, str]:
    """The least version of each package that Kaoiro asks for, extras included, development tools left out.

    Args:
        requirements: as the package's metadata spell them; by default Kaoiro's own.
    """
    if requirements is None:
        requirements = metadata.requires("kaoiro") or ()
    least = {}
    for requirement in requirements:
        name = re.match(r"[\w.-]+", requirement)
        version = re.search(r">=\s*([\d.]+)", requirement.partition(";")[0])
        if name and version and not re.search(r"""extra\s*==\s*['"]dev['"]""", requirement):
            least[name[0]] = version[1]
    return least


def too_old(installed: Mapping[str, str | None], least: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The packages that are older than asked for, with both versions; those that are not installed are left out."""
    return {
        name: (version, least[name])
        for name, version in installed.items()
        if version is not None and name in least and _release(version) < _release(least[name])
    }


def _release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, without trailing zeros: `2.9.0+cpu` is `(2, 9)`."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in re.sub(r"(\.0+)+$", "", numbers[0]).split(".")) if numbers else ()
