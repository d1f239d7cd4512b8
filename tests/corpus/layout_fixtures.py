"""Published corpora in their true form, in small, out of drawn pictures.

Each `write_…` makes a corpus below a folder and gives the faces that an import of it must have, in their order. Every
corpus has at least eight faces, so that one damaged line stays an exception.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from kaoiro.expressions import Expression

ANGER, DISGUST, FEAR, HAPPINESS, SADNESS, SURPRISE, NEUTRAL, CONTEMPT = Expression


class Expected(NamedTuple):
    """What an import of a corpus must have of a face."""

    source: str
    label: Expression
    split: str | None
    group: str | None


def draw_face(seed: int, width: int = 24, height: int = 28) -> np.ndarray:
    """Draw a face on noise, `uint8 (height, width, 3)`; no two seeds give the same."""
    picture = np.random.default_rng(seed).integers(0, 90, (height, width, 3), np.uint8)
    cv2.ellipse(picture, (width // 2, height // 2), (width // 3, height * 2 // 5), 0, 0, 360, (200, 170, 150), -1)
    for eye in (width // 3, width * 2 // 3):
        cv2.circle(picture, (eye, height * 2 // 5), 2, (20, 20, 20), -1)
    mouth = (width // 2, height * 2 // 3)
    cv2.ellipse(picture, mouth, (width // 6, 2 + seed % 3), 0, 0, 180 * (1 + seed % 2), (120, 30, 40), 1)
    return picture


def save(file: Path, picture: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(file)


def write_text(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="")


RAF_DB_LABELS = {
    "train_00001": (5, SADNESS),
    "train_00002": (1, SURPRISE),
    "train_00003": (2, FEAR),
    "train_00004": (3, DISGUST),
    "train_00005": (4, HAPPINESS),
    "test_0001": (6, ANGER),
    "test_0002": (7, NEUTRAL),
    "test_0003": (4, HAPPINESS),
}


def write_raf_db(root: Path, pictures: str = "aligned") -> list[Expected]:
    """Write RAF-DB's folder `basic`, as its authors publish it."""
    expected = []
    for seed, (name, (_, label)) in enumerate(RAF_DB_LABELS.items()):
        path = f"Image/{pictures}/{name}{'_aligned' if pictures == 'aligned' else ''}.jpg"
        save(root / "basic" / path, draw_face(seed))
        expected.append(Expected(path, label, name.partition("_")[0], None))
    lines = "".join(f"{name}.jpg {number}\n" for name, (number, _) in RAF_DB_LABELS.items())
    write_text(root / "basic/EmoLabel/list_patition_label.txt", lines)
    write_text(root / "basic/Annotation/manual/train_00001_manu_attri.txt", "8.5\t9.25\n1\n2\n3\n")
    return expected


def write_raf_db_kaggle(root: Path) -> list[Expected]:
    """Write RAF-DB as it goes round on Kaggle."""
    expected = []
    for seed, (name, (number, label)) in enumerate(RAF_DB_LABELS.items()):
        split = name.partition("_")[0]
        path = f"{split}/{number}/{name}_aligned.jpg"
        save(root / "DATASET" / path, draw_face(seed))
        expected.append(Expected(path, label, split, None))
    for split in ("train", "test"):
        rows = [
            f"{name}_aligned.jpg,{number}\n" for name, (number, _) in RAF_DB_LABELS.items() if name.startswith(split)
        ]
        write_text(root / f"{split}_labels.csv", "image,label\n" + "".join(rows))
    return sorted(expected)


AFFECTNET_FACES = {
    # identifier: number, label, valence, arousal
    "train_set/0": (1, HAPPINESS, "0.785714", "-0.0555556"),
    "train_set/2": (0, NEUTRAL, "-0.0174603", "-0.0793651"),
    "train_set/10": (2, SADNESS, "-0.5", "-0.25"),
    "train_set/11": (3, SURPRISE, "0.25", "0.75"),
    "train_set/12": (4, FEAR, "-2", "-2"),
    "val_set/1": (5, DISGUST, "-0.75", "0.5"),
    "val_set/3": (6, ANGER, "-0.625", "0.875"),
    "val_set/4": (7, CONTEMPT, "-0.5", "0.125"),
}


def write_affectnet(root: Path) -> list[Expected]:
    """Write AffectNet as its authors send it today; one face more is labelled "uncertain"."""
    expected = []
    faces = {**AFFECTNET_FACES, "val_set/9": (9, None, "-2", "-2")}
    for seed, (name, (number, label, valence, arousal)) in enumerate(faces.items()):
        folder, _, identifier = name.partition("/")
        path = f"{folder}/images/{identifier}.jpg"
        save(root / path, draw_face(seed))
        if label is not None:
            expected.append(Expected(path, label, "train" if folder == "train_set" else "validation", None))
        annotations = root / folder / "annotations"
        annotations.mkdir(exist_ok=True)
        np.save(annotations / f"{identifier}_exp.npy", np.array(str(number)))
        np.save(annotations / f"{identifier}_val.npy", np.array(valence))
        np.save(annotations / f"{identifier}_aro.npy", np.array(arousal))
        np.save(annotations / f"{identifier}_lnd.npy", np.arange(136.0))
    return expected


def write_affectnet_csv(root: Path) -> list[Expected]:
    """Write AffectNet's first release: lists with boxes in larger pictures; one face more is labelled "no face"."""
    header = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal\n"
    expected = []
    lists = {"training": header, "validation": header}
    for seed, (name, (number, label, valence, arousal)) in enumerate(AFFECTNET_FACES.items()):
        path = f"{seed % 3}/{seed:032x}.jpg"
        save(root / "Manually_Annotated_Images" / path, draw_face(seed, 48, 40))
        split = "training" if name.startswith("train") else "validation"
        lists[split] += f"{path},4,6,30,32,{';'.join(['8.5'] * 136)},{number},{valence},{arousal}\n"
        expected.append(Expected(path, label, {"training": "train"}.get(split, split), None))
    lists["training"] += "NULL/missing.jpg,NULL,NULL,NULL,NULL,NULL,10,-2,-2\n"
    for split, text in lists.items():
        write_text(root / f"Manually_Annotated_file_lists/{split}.csv", text)
    return expected


CK_PLUS_SEQUENCES = {
    # sequence: its frames, its number, the label
    "S005_001": (11, 3, DISGUST),
    "S010_001": (14, 7, SURPRISE),
    "S010_002": (12, None, None),
    "S010_004": (19, 1, ANGER),
    "S011_002": (22, 4, FEAR),
    "S014_005": (17, 5, HAPPINESS),
    "S026_003": (15, 5, HAPPINESS),
    "S042_006": (16, 6, SADNESS),
    "S138_008": (9, 2, CONTEMPT),
}


def write_ck_plus(root: Path) -> list[Expected]:
    """Write CK+ as its authors publish it, with the last three frames of each sequence; one has no emotion file."""
    expected = []
    for seed, (sequence, (frames, number, label)) in enumerate(CK_PLUS_SEQUENCES.items()):
        subject, _, take = sequence.partition("_")
        for back in (2, 1, 0):
            path = f"cohn-kanade-images/{subject}/{take}/{sequence}_{frames - back:08}.png"
            save(root / path, draw_face(10 * seed + back)[..., 0])
        if label is not None:
            emotion = f"Emotion/{subject}/{take}/{sequence}_{frames:08}_emotion.txt"
            write_text(root / emotion, f"   {number:.7e}\n")
            expected.append(Expected(path, label, None, subject))
        else:
            (root / "Emotion" / subject / take).mkdir(parents=True)  # empty, as in the published archive
    return expected


def write_ck_48(root: Path) -> list[Expected]:
    """Write CK+ as it goes round on Kaggle as CK+48: class folders of the last three frames."""
    folders = {ANGER: "anger", HAPPINESS: "happy", SADNESS: "sadness"}
    expected = []
    for seed, (sequence, (frames, _, label)) in enumerate(CK_PLUS_SEQUENCES.items()):
        if label is None:
            continue
        for back in (2, 1, 0):
            path = f"{folders.get(label, label)}/{sequence}_{frames - back:08}.png"
            save(root / "CK+48" / path, draw_face(10 * seed + back)[..., 0])
            expected.append(Expected(f"CK+48/{path}", label, None, sequence.partition("_")[0]))
    return sorted(expected)


def write_ck_csv(root: Path) -> list[Expected]:
    """Write CK+ as it goes round on Kaggle as a CSV in FER2013's form; it is the file in the folder."""
    usages = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
    lines, expected = ["emotion,pixels,Usage"], []
    for number, label in enumerate(Expression):
        usage = list(usages)[number % 3]
        pixels = cv2.resize(draw_face(number), (48, 48))[..., 0]
        lines.append(f"{number},{' '.join(map(str, pixels.ravel()))},{usage}")
        expected.append(Expected(f"ckextended.csv:{number + 2}", label, usages[usage], None))
    write_text(root / "ckextended.csv", "\n".join(lines) + "\n")
    return expected


JAFFE_NAMES = {
    "KA.AN1.39": ANGER,
    "KA.DI1.42": DISGUST,
    "KA.FE1.45": FEAR,
    "KM.HA1.4": HAPPINESS,
    "KM.NE1.1": NEUTRAL,
    "KM.SA5.13": SADNESS,
    "NA.SU1.208": SURPRISE,
    "YM.HA2.53": HAPPINESS,
}


def write_jaffe(root: Path) -> list[Expected]:
    """Write JAFFE as its authors publish it."""
    for seed, name in enumerate(JAFFE_NAMES):
        save(root / "jaffe" / f"{name}.tiff", draw_face(seed)[..., 0])
    write_text(root / "jaffe" / "README_FIRST.txt", "semantic ratings\n")
    return [Expected(f"jaffe/{name}.tiff", label, None, name[:2]) for name, label in JAFFE_NAMES.items()]


EXPW_LINES = (
    # picture, face, top, left, right, bottom, confidence, number
    ("angry_actor_104.jpg", 0, 5, 4, 40, 45, "22.9032", 0),
    ("disgust_baby_7.jpg", 0, 3, 6, 38, 40, "18.11", 1),
    ("happy_family_12.jpg", 0, 10, 2, 30, 38, "54.0198", 3),
    ("happy_family_12.jpg", 1, 2, 32, 60, 30, "31.5", 2),
    ("sad_man_3.jpg", 0, -4, -2, 30, 33, "25", 4),  # reaches beyond the picture
    ("sad_man_3.jpg", 2, 8, 20, 64, 90, "7.25", 5),  # so does this one
    ("calm_boy_1.jpg", 0, 5, 5, 45, 45, "60.0", 6),
    ("happy_girl_2.jpg", 3, 4, 4, 44, 44, "41.75", 3),
)


def write_expw(root: Path) -> list[Expected]:
    """Write ExpW as its authors publish it."""
    for seed, name in enumerate(sorted({line[0] for line in EXPW_LINES})):
        save(root / "image/origin" / name, draw_face(seed, 64, 48))
    write_text(root / "label/label.lst", "".join(" ".join(map(str, line)) + "\n" for line in EXPW_LINES))
    write_text(root / "readme.txt", "label.lst: each line indicates an image\n")
    return [
        Expected(f"label.lst:{place}", list(Expression)[line[-1]], None, line[0])
        for place, line in enumerate(EXPW_LINES, 1)
    ]


SFEW_FRAMES = {
    "Train/Train_Aligned_Faces/Angry/Airheads_000519240_00000005": (ANGER, "Airheads"),
    "Train/Train_Aligned_Faces/Disgust/21Grams_002124520_00000037": (DISGUST, "21Grams"),
    "Train/Train_Aligned_Faces/Fear/AlienResurrection_001234567_00000010": (FEAR, "AlienResurrection"),
    "Train/Train_Aligned_Faces/Happy/Airheads_000610360_00000019": (HAPPINESS, "Airheads"),
    "Val/Val_Aligned_Faces/Neutral/HarryPotter_Prisoner_003151280_00000042": (NEUTRAL, "HarryPotter_Prisoner"),
    "Val/Val_Aligned_Faces/Sad/Juno_011507320_00000021": (SADNESS, "Juno"),
    "Val/Val_Aligned_Faces/Surprise/Juno_001424240_00000001": (SURPRISE, "Juno"),
    "Val/Val_Aligned_Faces/Happy/Juno_000410240_00000033": (HAPPINESS, "Juno"),
}


def write_sfew(root: Path) -> list[Expected]:
    """Write SFEW 2.0's aligned faces; those of its test split have no labels."""
    expected = []
    for seed, (path, (label, film)) in enumerate(SFEW_FRAMES.items()):
        save(root / f"{path}.png", draw_face(seed))
        expected.append(Expected(f"{path}.png", label, "train" if path.startswith("Train") else "validation", film))
    save(root / "Test/Test_Aligned_Faces/Bridesmaids_003015640_00000015.png", draw_face(99))
    return sorted(expected)


class Fixture(NamedTuple):
    """A form of a published corpus.

    Attributes:
        layout: the name of its layout.
        write: makes it below a folder.
        source: what to import, below that folder.
    """

    layout: str
    write: Callable[[Path], list[Expected]]
    source: str = "."


FIXTURES = {
    "RAF-DB": Fixture("raf-db", write_raf_db),
    "RAF-DB from Kaggle": Fixture("raf-db", write_raf_db_kaggle),
    "AffectNet": Fixture("affectnet", write_affectnet),
    "AffectNet's first release": Fixture("affectnet", write_affectnet_csv),
    "CK+": Fixture("ck-plus", write_ck_plus),
    "CK+48": Fixture("ck-plus", write_ck_48),
    "CK+ as CSV": Fixture("ck-plus", write_ck_csv, "ckextended.csv"),
    "JAFFE": Fixture("jaffe", write_jaffe),
    "ExpW": Fixture("expw", write_expw),
    "SFEW": Fixture("sfew", write_sfew),
}
"""Every form, by its name."""
