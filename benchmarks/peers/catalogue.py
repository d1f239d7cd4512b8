"""The expression classifiers of others: those that can be measured without a network, and published figures of others.

Every peer carries its weights in its package, so that installing it by name is all that its measurement needs.
"""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Peer:
    """A package that reads expressions, and how it is installed and asked."""

    name: str
    """Its name on the command line and in tables."""
    installer: Literal["pip", "npm"]
    package: str
    """The package with its version, as the installer spells it."""
    needs: tuple[str, ...]
    """What its classifier imports. With pip only this is installed beside it, not all that the package asks for."""
    adapter: str
    """The file in `adapters/` that answers for it."""
    input: str
    """What it is given of a face, and which steps of its own are left out."""
    borrows: bool = False
    """Whether it takes torch, torchvision and OpenCV from the environment that runs the benchmark."""

    @property
    def requirements(self) -> tuple[str, ...]:
        return (self.package, *self.needs)


@dataclass(frozen=True)
class Published:
    """A classifier that cannot be measured here, with a figure that others have published."""

    name: str
    accuracy: str
    protocol: str
    why: str


_TENSORFLOW: Final = ("tensorflow-cpu>=2.16", "setuptools<81")
_OPENCV: Final = "opencv-python-headless<5"
_WASM: Final = "@tensorflow/tfjs-backend-wasm@^4.22.0"

PEERS: Final = {
    peer.name: peer
    for peer in (
        Peer(
            "fer",
            "pip",
            "fer==25.10.3",
            (*_TENSORFLOW, _OPENCV, "pandas", "requests", "tqdm", "matplotlib", "pillow"),
            "fer_adapter.py",
            "the whole face enlarged to 64 × 64 grey, without the border of 10 pixels that it adds to a detected face; "
            "one face a call, as its own code does",
        ),
        Peer(
            "human",
            "npm",
            "@vladmandic/human@3.3.6",
            ("@tensorflow/tfjs-core@^4.22.0", "@tensorflow/tfjs-converter@^4.22.0", _WASM),
            "human_adapter.js",
            "the whole face enlarged to 64 × 64 grey; its emotion network alone, on WebAssembly in Node",
        ),
        Peer(
            "face-api",
            "npm",
            "@vladmandic/face-api@1.7.15",
            ("@tensorflow/tfjs@^4.22.0", _WASM),
            "face_api_adapter.js",
            "the whole face as a colour picture, which it enlarges to 112 × 112; on WebAssembly in Node",
        ),
        Peer(
            "what-the-face-classification",
            "pip",
            "what-the-face-classification==0.0.27",
            ("setuptools<81",),
            "what_the_face_adapter.py",
            "the whole face, 48 × 48 grey, through its own transform",
            borrows=True,
        ),
        Peer(
            "facial-emotion-recognition",
            "pip",
            "facial-emotion-recognition==0.3.4",
            ("facenet-pytorch==2.6.0",),
            "facial_emotion_recognition_adapter.py",
            "the whole face, 48 × 48 grey, through its own transform",
            borrows=True,
        ),
        Peer(
            "facex",
            "pip",
            "facex==1.1.0",
            (*_TENSORFLOW, _OPENCV, "scikit-image"),
            "facex_adapter.py",
            "the whole face, which it enlarges to 200 × 200; one face a call, as its own code does",
        ),
        Peer(
            "facemood",
            "pip",
            "facemood==1.0.1",
            (*_TENSORFLOW, _OPENCV, "pillow"),
            "facemood_adapter.py",
            "the whole face enlarged to 170 × 170 in colour (its own code gives it whole camera frames)",
        ),
    )
}

_DOWNLOADS: Final = "downloads its weights when it is first used"

PUBLISHED: Final = (
    Published("a person", "65 ± 5 %", "FER2013, Goodfellow et al. 2013", "no package"),
    Published("deepface", "57.4 %", "FER2013 PrivateTest, its authors", _DOWNLOADS),
    Published("rmn (ResMaskingNet)", "74.1 %", "FER2013 PrivateTest, its authors; ImageNet start", _DOWNLOADS),
    Published("py-feat (its ResMaskingNet)", "as rmn", "the same network", _DOWNLOADS),
    Published("hsemotion, emotiefflib", "none on FER2013", "AffectNet, 8 classes: 61–63 %", _DOWNLOADS),
)
