import subprocess
import sys

import pytest

import kaoiro


def test_every_public_name_is_there():
    names = ["Expression", "Face", "Frame", "Recognizer", "Track", "__version__", "load_image", "read_video"]
    assert kaoiro.__all__ == names
    for name in kaoiro.__all__:
        assert getattr(kaoiro, name) is not None
    assert set(kaoiro.__all__) <= set(dir(kaoiro))


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="module 'kaoiro' has no attribute 'nope'"):
        kaoiro.nope  # noqa: B018


@pytest.mark.parametrize("module", ["kaoiro", "kaoiro.expressions", "kaoiro.cli.predict"])
def test_importing_is_light(module):
    script = (
        f"import sys, {module}; "
        "heavy = {'numpy', 'cv2', 'PIL', 'onnxruntime', 'rich', 'torch'} & sys.modules.keys(); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
