"""Pictures and faces with which tests plant defects in a corpus."""

import cv2
import numpy as np

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.pictures import encode_png


def picture(number):
    """A grey 48×48 picture like no other one: smooth patches at random."""
    patches = np.random.default_rng(number).integers(20, 200, (9, 9), np.uint8)
    return cv2.resize(patches, (48, 48), interpolation=cv2.INTER_CUBIC)


def encoded_anew(pixels):
    """The same pixels in a file of other bytes."""
    return cv2.imencode(".png", pixels, (cv2.IMWRITE_PNG_COMPRESSION, 1))[1].tobytes()


def face(pixels, split="train", label="anger", *, votes=None, group=None, source=None):
    data = pixels if isinstance(pixels, bytes) else encode_png(pixels)
    return LabelledFace(data, "a.png", source or "drawn", label, votes, split, group)
