"""Kaoiro (顔色): facial-expression recognition.

```python
import kaoiro

for face in kaoiro.Recognizer().predict("photo.jpg"):
    print(face.box, face.expression, face.confidence)

for frame in kaoiro.read_video("interview.mp4"):
    print(frame.time, [(face.track, face.expression) for face in frame.faces])
```
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kaoiro.expressions import Expression
    from kaoiro.media.images import load_image
    from kaoiro.recognition.reading_video import read_video
    from kaoiro.recognition.recognizer import Recognizer
    from kaoiro.recognition.results import Face, Frame, Track

__version__ = "0.1.0"
__all__ = ["Expression", "Face", "Frame", "Recognizer", "Track", "__version__", "load_image", "read_video"]

# Looked up at first use (PEP 562), so that importing the package, or one part of it, stays quick.
_HOMES = {
    "Expression": "kaoiro.expressions",
    "Face": "kaoiro.recognition.results",
    "Frame": "kaoiro.recognition.results",
    "Recognizer": "kaoiro.recognition.recognizer",
    "Track": "kaoiro.recognition.results",
    "load_image": "kaoiro.media.images",
    "read_video": "kaoiro.recognition.reading_video",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
