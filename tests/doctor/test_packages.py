import numpy
import pytest

from kaoiro.doctor.packages import least_versions, too_old, versions


def test_versions():
    assert versions(["numpy", "no-such-package"]) == {"numpy": numpy.__version__, "no-such-package": None}


def test_least_versions():
    requirements = [
        "numpy>=1.26",
        "opencv-python-headless<5,>=4.11",
        "jsonargparse[signatures]<5,>=4.40; extra == 'train'",
        'pytest<10,>=9; extra == "dev"',
        "rich",
    ]
    assert least_versions(requirements) == {"numpy": "1.26", "opencv-python-headless": "4.11", "jsonargparse": "4.40"}


def test_kaoiro_names_its_own_least_versions():
    assert {"numpy", "onnxruntime", "torch", "lightning"} <= set(least_versions())


@pytest.mark.parametrize(
    ("installed", "least", "old"),
    [
        ("2.8.1", "2.9", True),
        ("2.9", "2.9.0", False),
        ("2.9.0+cpu", "2.9", False),
        ("2.10", "2.9", False),
        ("2.9.0rc1", "2.9", False),
        (None, "2.9", False),
    ],
)
def test_too_old(installed, least, old):
    assert too_old({"torch": installed}, {"torch": least}) == ({"torch": (installed, least)} if old else {})


def test_packages_without_a_least_version():
    assert too_old({"timm": "0.1"}, {}) == {}
