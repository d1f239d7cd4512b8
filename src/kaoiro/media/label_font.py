"""The letters of labels in drawings."""

from functools import lru_cache
from importlib import resources
from io import BytesIO

from PIL import ImageFont

from kaoiro.expressions import Language

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def japanese_font_bytes() -> bytes:
    """The TrueType file `Kaoiro Labels`, which has the expressions' Japanese names, a few words, and ASCII."""
    return (resources.files("kaoiro.media") / "fonts" / "kaoiro-labels.ttf").read_bytes()


@lru_cache(maxsize=256)
def label_font(language: Language, size: float) -> Font:
    """A font that has the expressions' names in a language.

    Args:
        language: of the names.
        size: of the letters, in pixels.
    """
    if language is Language.JAPANESE:
        return ImageFont.truetype(BytesIO(japanese_font_bytes()), size)
    return ImageFont.load_default(size)
