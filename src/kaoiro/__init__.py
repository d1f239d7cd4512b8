"""Kaoiro (顔色): facial-expression recognition.

```python
import kaoiro

for face in kaoiro.Recognizer().predict("photo.jpg"):
    print(face.box, face.expression, face.confidence)
```
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kaoiro.expressions import Expression
    from kaoiro.media.images import load_image
    from kaoiro.recognition.recognizer import Recognizer
    from kaoiro.recognition.results import Face

__version__ = "0.1.0"
__all__ = ["Expression", "Face", "Recognizer", "__version__", "load_image"]

# Looked up at first use (PEP 562), so that importing the package, or one part of it, stays quick.
_HOMES = {
    "Expression": "kaoiro.expressions",
    "Face": "kaoiro.recognition.results",
    "Recognizer": "kaoiro.recognition.recognizer",
    "load_image": "kaoiro.media.images",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
