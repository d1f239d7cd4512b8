"""`kaoiro` with one rank spoiled, for torchrun: `spoiled_doctor.py RANK SPOILER ARGUMENTS…`."""

import os
import signal
import sys
import time

import torch.distributed as dist

from kaoiro.cli import main

all_reduce, all_to_all = dist.all_reduce, dist.all_to_all_single


def hang(*_, **__):
    time.sleep(600)


def stop(*_, **__):
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(600)


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def miscount(tensor, **options):
    all_reduce(tensor, **options)
    tensor[5] += 1


def misgive(output, given, **options):
    all_to_all(output, given + 1, **options)


def refuse(*_, **__):
    raise RuntimeError("Backend gloo does not support all_reduce")


def break_(*_, **__):
    raise TypeError("a fault")


if __name__ == "__main__":
    rank, spoiler = sys.argv[1:3]
    sys.argv[1:3] = []
    if rank in (os.environ["RANK"], "all"):
        if spoiler == "late":
            time.sleep(600)
        if spoiler == "misgive":
            dist.all_to_all_single = misgive
        else:
            dist.all_reduce = {
                "hang": hang,
                "stop": stop,
                "die": die,
                "miscount": miscount,
                "refuse": refuse,
                "break": break_,
            }[spoiler]
    main()
