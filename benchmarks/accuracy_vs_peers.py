"""Kaoiro's models beside other packages that read expressions: the same faces, one run.

    python benchmarks/accuracy_vs_peers.py --set-up fer human
    python benchmarks/accuracy_vs_peers.py fer2013.parquet
    python benchmarks/accuracy_vs_peers.py fer2013.parquet --speed-only

The first command installs peers by name, each into a folder of its own below --environments; nothing else is
downloaded, and nothing at all by the other two. Every peer gets the corpus's cut-out faces straight at its classifier,
in the size and colours that its own code makes of a face; its face detector has no part in it. See docs/peers.md.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.duplicates import near_duplicates
from kaoiro.corpus.ferplus import majority
from kaoiro.corpus.schema import SPLITS
from kaoiro.corpus.store import Corpus, open_corpus
from kaoiro.errors import InputError
from kaoiro.evaluation.evaluate import RULES, right_answers
from kaoiro.evaluation.scores import Measured, Scores
from kaoiro.expressions import EIGHT
from kaoiro.files import atomic_path, check_target
from kaoiro.recognition.metadata import Head, ModelMetadata
from kaoiro.recognition.model_file import DEFAULT_MODEL, open_model, shipped_models
from peers.catalogue import PEERS, PUBLISHED
from peers.comparison import (
    Difference,
    Familiarity,
    familiarity,
    paired_difference,
    score_answers,
    verdict,
)
from peers.contestant import Contestant, ContestantError
from peers.environments import ADAPTERS, SetUpError, command, problem, set_up
from peers.machine import machine
from peers.speed import BATCH, Speed, measure_in_turns, ratio

_TRAINING_FACES: Final = 3589
_TIMED_FACES: Final = 512
_BUSY: Final = 1.0


@dataclass(frozen=True)
class Part:
    """The faces of one split, and what is known of them; every array has a row a face."""

    faces: NDArray[np.uint8]
    """`uint8 (n, 48, 48)` grey."""
    labels: NDArray[np.int64]
    majority: NDArray[np.int64] | None
    corpus: Corpus


@dataclass(frozen=True)
class Result:
    """How right one classifier is."""

    scores: Scores
    leak_free: Scores | None
    difference: Difference | None
    """The first model's figures less these; None for the first model itself."""
    missing: tuple[str, ...]
    """Expressions that it never answers."""


def main() -> None:
    parser = _parser()
    arguments = parser.parse_args()
    try:
        if arguments.set_up is not None:
            sys.exit(_set_up(arguments.set_up, arguments.environments))
        if arguments.corpus is None:
            parser.error("the corpus is missing: a Parquet file that `kaoiro data import` wrote")
        _compare(arguments)
    except (InputError, ContestantError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, nargs="?", help="FER2013, or another stored corpus")
    parser.add_argument(
        "--set-up", nargs="*", metavar="PEER", help=f"install peers (none named: all): {', '.join(PEERS)}"
    )
    parser.add_argument("--split", choices=SPLITS, default="validation")
    parser.add_argument("--faces", type=int, metavar="N", help="only N faces of a split, drawn at random")
    parser.add_argument("--models", nargs="*", default=None, help="shipped models or model files; default: all shipped")
    parser.add_argument("--peers", nargs="*", metavar="PEER", help="default: all that are set up")
    parser.add_argument("--head", help="the models' head, which also says what is right: labels (default) or votes")
    parser.add_argument("--flip-averaging", action="store_true", help="the models read each face mirrored, too")
    parser.add_argument("--threads", type=int, default=0, help="of the models; default: all cores")
    parser.add_argument("--rounds", type=int, default=5, help="in which the times are taken in turns")
    parser.add_argument("--speed-only", action="store_true", help="no accuracies")
    parser.add_argument("--no-speed", action="store_true", help="no times")
    parser.add_argument("--no-training-check", action="store_true", help="don't look what the peers were trained on")
    parser.add_argument("--no-leak-check", action="store_true", help="don't look for near-duplicates of training faces")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to this file")
    parser.add_argument("--environments", type=Path, default=Path("build/peers"), metavar="FOLDER")
    return parser


def _set_up(names: list[str], environments: Path) -> int:
    failed = 0
    for name in _known(names) or list(PEERS):
        print(f"{name}: installing {' '.join(PEERS[name].requirements)}", flush=True)
        try:
            set_up(PEERS[name], environments)
        except SetUpError as error:
            failed = 1
            print(f"{name}: cannot be installed here: {error}")
        else:
            print(f"{name}: ready in {environments / name}")
    return failed


def _known(names: list[str]) -> list[str]:
    for name in names:
        if name not in PEERS:
            raise InputError(f"unknown peer {name!r}; choose from {', '.join(PEERS)}")
    return list(dict.fromkeys(names))


def _check(arguments: argparse.Namespace) -> None:
    for option, least in (("faces", BATCH), ("rounds", 1), ("threads", 0)):
        value = getattr(arguments, option)
        if value is not None and value < least:
            raise InputError(f"--{option} must be at least {least}, not {value}")
    if arguments.speed_only and arguments.no_speed:
        raise InputError("--speed-only and --no-speed leave nothing to measure; give one of them")
    if arguments.json is not None:
        check_target(arguments.json)


def _compare(arguments: argparse.Namespace) -> None:
    _check(arguments)
    peers = list(PEERS) if arguments.peers is None else _known(arguments.peers)
    models = list(dict.fromkeys(arguments.models or sorted(shipped_models(), key=lambda name: name != DEFAULT_MODEL)))
    metadata = {name: open_model(name).metadata for name in models}
    called = _called(metadata)
    if arguments.head is not None:
        for name, model in metadata.items():
            if arguments.head not in model.heads:
                raise InputError(f"the model {name!r} has no head {arguments.head!r}; it has {', '.join(model.heads)}")
    heads = {name: arguments.head or _head_of_labels(model) for name, model in metadata.items()}
    judge = metadata[models[0]].heads[heads[models[0]]]
    left_out: dict[str, str] = {}
    corpus = open_corpus(arguments.corpus)
    part = _part(corpus, arguments.split, arguments.faces)

    with ExitStack() as stack:
        contestants: list[Contestant] = []
        for name in models:
            flip = "flip" if arguments.flip_averaging else "plain"
            after = [name, heads[name], flip, str(arguments.threads)]
            command_ = [sys.executable, str(ADAPTERS / "kaoiro_adapter.py")]
            contestants.append(stack.enter_context(Contestant(called[name], command_, after)))
        for name in peers:
            reason = problem(PEERS[name], arguments.environments)
            if reason is None:
                try:
                    peer = Contestant(name, *command(PEERS[name], arguments.environments))
                    contestants.append(stack.enter_context(peer))
                except ContestantError as error:
                    reason = str(error)
            if reason is not None:
                left_out[name] = reason
        ours = contestants[: len(models)]

        report: dict[str, Any] = {"machine": machine(), "split": arguments.split, "faces": len(part.faces)}
        report["versions"] = {contestant.name: contestant.versions for contestant in contestants}
        report["heads"] = {called[name]: head for name, head in heads.items()}
        report["flip_averaging"] = arguments.flip_averaging
        print(f"machine   {report['machine']}")
        print(f"versions  Python {platform.python_version()}; " + "; ".join(map(_versions, contestants)))
        print(f"faces     {len(part.faces)} of {arguments.split} of {arguments.corpus.name}")

        if not arguments.speed_only:
            results = _results(contestants, part, judge, not arguments.no_leak_check, left_out)
            if ours[0].name not in results:  # all others are compared with it
                raise InputError(left_out[ours[0].name])
            report["rule"] = RULES[judge.target]
            report["results"] = {name: asdict(result) for name, result in results.items()}
            _print_results(results, judge, ours[0].name)
            if not arguments.no_training_check:
                familiar = _familiarities(contestants[len(ours) :], corpus, arguments.faces, left_out)
                report["training_check"] = {
                    name: {split: asdict(one) for split, one in splits.items()} for name, splits in familiar.items()
                }
                _print_familiarities(familiar)
        if not arguments.no_speed:
            running = [contestant for contestant in contestants if contestant.name not in left_out]
            load = os.getloadavg()[0]
            timed = part.faces[:_TIMED_FACES]
            speeds = measure_in_turns(
                running, timed, arguments.rounds, lambda name, error: left_out.update({name: str(error)})
            )
            report["speed"] = {name: asdict(speed) for name, speed in speeds.items()}
            report["load_before_timing"] = load
            _print_speeds(speeds, [contestant.name for contestant in ours], arguments, load)

    _print_left_out(left_out)
    report["left_out"] = left_out
    report["published"] = [asdict(one) for one in PUBLISHED]
    if arguments.json is not None:
        with atomic_path(arguments.json) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _called(metadata: Mapping[str, ModelMetadata]) -> dict[str, str]:
    """What each model is called: its own name, or its file's path where the name is another's too."""
    names = [*(model.name for model in metadata.values()), *PEERS]
    return {path: model.name if names.count(model.name) == 1 else path for path, model in metadata.items()}


def _head_of_labels(model: ModelMetadata) -> str:
    """The head that learned what most peers learned, a corpus's labels; without one the model's default."""
    return next((name for name, head in model.heads.items() if head.target == "label"), model.default_head)


def _part(corpus: Corpus, split: str, faces: int | None) -> Part:
    part = corpus.select(split)
    if faces is not None and faces < len(part):
        rows = np.sort(np.random.default_rng(0).choice(len(part), faces, replace=False))
        part = Corpus(part.path, part.table.take(rows))
    if len(part) < BATCH:
        raise InputError(f"the split {split!r} of {corpus.path} has {len(part)} faces; at least {BATCH} are needed")
    votes = part.votes()
    return Part(part.decode_faces(48, 1)[:, 0], part.label_indices(), None if votes is None else majority(votes), part)


def _versions(contestant: Contestant) -> str:
    return f"{contestant.name}: " + ", ".join(f"{name} {version}" for name, version in contestant.versions.items())


def _results(
    contestants: list[Contestant], part: Part, judge: Head, leak_check: bool, left_out: dict[str, str]
) -> dict[str, Result]:
    right = right_answers(part.corpus, judge)
    if right is None:
        raise InputError(f"{part.corpus.path} has no labels or votes that the head knows; choose another --head")
    # From places in the head's classes to places in EIGHT.
    right = np.where(right >= 0, np.array([EIGHT.index(one) for one in judge.classes])[right], -1)
    leaked = None
    whole = open_corpus(part.corpus.path)
    if leak_check and part.corpus.table["split"][0].as_py() != "train" and "train" in whole.splits():
        leaked = near_duplicates(part.faces, whole.select("train").decode_faces(48, 1)[:, 0])
    results: dict[str, Result] = {}
    first: NDArray[np.int64] | None = None
    for contestant in contestants:
        try:
            answers = contestant.answers(part.faces)
        except ContestantError as error:
            left_out[contestant.name] = str(error)
            continue
        results[contestant.name] = Result(
            score_answers(answers, right),
            None if leaked is None else score_answers(answers, np.where(leaked, -1, right)),
            None if first is None else paired_difference(first, answers, right),
            tuple(expression for expression in judge.classes if expression in contestant.missing),
        )
        first = answers if first is None else first
    return results


def _familiarities(
    peers: list[Contestant], corpus: Corpus, faces: int | None, left_out: dict[str, str]
) -> dict[str, dict[str, Familiarity]]:
    parts = {split: _part(corpus, split, min(faces or _TRAINING_FACES, _TRAINING_FACES)) for split in corpus.splits()}
    found = {}
    for peer in peers:
        try:
            found[peer.name] = {
                split: familiarity(peer.answers(part.faces), part.labels, part.majority)
                for split, part in parts.items()
            }
        except ContestantError as error:
            left_out[peer.name] = str(error)
    return found


def _percent(figure: Measured) -> str:
    return f"{figure.value:6.1%} [{figure.low:.1%}, {figure.high:.1%}]".replace("%", "")


def _print_results(results: dict[str, Result], judge: Head, first: str) -> None:
    n = next(iter(results.values())).scores.n
    print(f"\nRight answers by {RULES[judge.target]} (n = {n}), in %, with 95 % intervals")
    print(f"{'':30} {'accuracy':20} {'macro-F1':20} {'leak-free':9}  {first} less it: accuracy, macro-F1, p")
    for name, result in results.items():
        leak_free = f"{100 * result.leak_free.accuracy.value:.1f}" if result.leak_free else "–"
        line = f"{name:30} {_percent(result.scores.accuracy):20} {_percent(result.scores.macro_f1):20} {leak_free:9}"
        if result.difference is not None:
            difference = result.difference
            line += f"  {_percent(difference.accuracy)}, {_percent(difference.macro_f1)}, {difference.p:.2g}"
        if result.missing:
            line += f"  (never answers {', '.join(result.missing)})"
        print(line)


def _print_familiarities(found: dict[str, dict[str, Familiarity]]) -> None:
    print(
        "\nWhat they were trained on: accuracy by labels; in brackets, how often a label is repeated that the raters'"
    )
    print("majority calls wrong, which only who has learned the very face does often; in %")
    for name, splits in found.items():
        figures = []
        for split, one in splits.items():
            repeated = "" if one.repeated is None else f" ({100 * one.repeated:.0f})"
            figures.append(f"{split} {100 * one.accuracy:.1f}{repeated}")
        line = f"{name:30} {', '.join(figures)}"
        if "train" in splits:
            judged = (f"{split}: {verdict(splits['train'], splits[split])}" for split in splits if split != "train")
            line += f"; {'; '.join(judged)}"
        print(line)


def _print_speeds(speeds: dict[str, Speed], ours: list[str], arguments: argparse.Namespace, load: float) -> None:
    print(
        f"\nTimes in {arguments.rounds} rounds, in turns; load average before: {load:.1f}; median [smallest, largest]"
    )
    if load > _BUSY:
        print("The machine was busy: times are too long, and most of all for those that use several cores")
    print(f"{'':30} {'one face, ms':24} faces/s in batches of {BATCH}")
    for name, speed in speeds.items():
        single, throughput = (1000 * np.array(speed.one_face), np.array(speed.throughput))
        one = f"{np.median(single):.3f} [{single.min():.3f}, {single.max():.3f}]"
        print(f"{name:30} {one:24} {np.median(throughput):.0f} [{throughput.min():.0f}, {throughput.max():.0f}]")
    for model in ours:
        for name, speed in speeds.items():
            if name in ours or model not in speeds:
                continue
            faster = ratio(speeds[model].throughput, speed.throughput)
            time = ratio(speeds[model].one_face, speed.one_face)
            print(
                f"{model} against {name}: {faster.value:.2f} [{faster.low:.2f}, {faster.high:.2f}] times its faces/s, "
                f"{time.value:.2f} [{time.low:.2f}, {time.high:.2f}] times its time for one face"
            )


def _print_left_out(left_out: dict[str, str]) -> None:
    if left_out:
        print("\nLeft out")
        for name, reason in left_out.items():
            print(f"{name:30} {reason}")
    print("\nNot to be measured without a network, figures as published")
    for one in PUBLISHED:
        print(f"{one.name:30} {one.accuracy} ({one.protocol}): {one.why}")


if __name__ == "__main__":
    main()
