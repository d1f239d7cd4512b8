"""What would be slow or fail, and what to do about it: a judgement on an examination, without looking any further."""

from collections.abc import Iterator
from typing import Final

from kaoiro.doctor.report import Examination, Finding

_GIB: Final = 2**30
_LEAST_MEMORY: Final = 2 * _GIB
_LEAST_SHARED: Final = _GIB // 2
_LEAST_DISK: Final = 2 * _GIB
_BF16_PAYS: Final = 1.2
_BUSY: Final = 0.5
"""Share of the cores that others may keep busy before it is worth saying."""


def findings(seen: Examination) -> list[Finding]:
    """Judge an examination; the gravest come first."""
    order = ("fail", "slow", "note")
    found = [*_packages(seen), *_gpu(seen), *_threads(seen), *_precision(seen), *_room(seen)]
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _packages(seen: Examination) -> Iterator[Finding]:
    if seen.packages["torch"] is None:
        what = "torch is not installed, so training, evaluation and export are not to be had; reading photos is"
        yield Finding("no-torch", "note", what, "pip install 'kaoiro[train]'")
    if seen.torch_problem is not None:
        what = f"torch is installed but does not load: {seen.torch_problem}"
        yield Finding("torch-broken", "fail", what, "install it anew: pip install --force-reinstall torch torchvision")
    for name, (installed, least) in seen.outdated.items():
        what = f"{name} {installed} is older than {least}, the least version that Kaoiro is made for"
        yield Finding("outdated", "fail", what, f"pip install --upgrade '{name}>={least}'")
    for name in seen.doubled:
        what = f"{name} and opencv-python-headless write the same module, and which of them is loaded is chance"
        yield Finding("two-opencvs", "fail", what, f"pip uninstall {name}, then reinstall opencv-python-headless")


def _gpu(seen: Examination) -> Iterator[Finding]:
    if seen.torch is None:
        return
    if seen.nvidia_driver and not seen.torch.gpus:
        if seen.torch.cuda_build is None:
            what = "there is an NVIDIA driver, but torch is built for the CPU alone"
            yield Finding("cpu-build", "slow", what, "install the CUDA build: https://pytorch.org/get-started/locally")
        elif seen.variables["CUDA_VISIBLE_DEVICES"] is not None:
            value = seen.variables["CUDA_VISIBLE_DEVICES"]
            what = f"CUDA_VISIBLE_DEVICES={value!r} hides every GPU"
            yield Finding("gpu-hidden", "slow", what, "unset it, unless that is meant")
        else:
            what = f"there is an NVIDIA driver, but torch, built for CUDA {seen.torch.cuda_build}, sees no GPU"
            advice = "look whether nvidia-smi lists one and its driver is new enough for that CUDA"
            yield Finding("no-gpu-seen", "slow", what, advice)
    if seen.torch.gpus and "CUDAExecutionProvider" not in seen.providers:
        what = "there is a GPU for training, but ONNX Runtime cannot use it to read photos"
        yield Finding("onnxruntime-cpu", "note", what, "replace onnxruntime by onnxruntime-gpu if speed matters there")


def _threads(seen: Examination) -> Iterator[Finding]:
    cores = seen.processor.usable_cores
    if seen.torch is not None:
        threads = seen.torch.threads
        if threads > cores:
            what = f"torch uses {threads} threads on {cores:g} usable cores, where they wait for one another"
            yield Finding("too-many-threads", "slow", what, f"set OMP_NUM_THREADS={max(int(cores), 1)}")
        elif threads == 1 < int(cores) and seen.variables["OMP_NUM_THREADS"] is not None:
            what = f"OMP_NUM_THREADS={seen.variables['OMP_NUM_THREADS']} keeps torch to 1 of {cores:g} usable cores"
            advice = "set it to the number of cores divided by that of the processes (torchrun sets 1)"
            yield Finding("one-thread", "slow", what, advice)
    load, policy = seen.processor.load, (seen.variables["OMP_WAIT_POLICY"] or "").upper()
    if load is not None and load > _BUSY * cores:
        what = f"other processes are busy (load {load:.1f} on {cores:g} cores)"
        if policy == "PASSIVE":
            yield Finding("busy", "slow", what, "end them, or expect to share")
        else:
            what += ", and OpenMP threads that wait do so by spinning, which takes the cores from all"
            yield Finding("busy-spinning", "slow", what, "set OMP_WAIT_POLICY=PASSIVE while they run")
    instructions = seen.processor.instructions
    if instructions and not {"avx2", "asimd"} & set(instructions):
        what = "the processor has no AVX2, for which torch and ONNX Runtime are optimised"
        yield Finding("no-avx2", "slow", what, "use another machine for training")


def _precision(seen: Examination) -> Iterator[Finding]:
    if seen.torch is None:
        return
    if seen.torch.gpus:
        for gpu in seen.torch.gpus:
            if not gpu.bf16:
                what = f"{gpu.name} has no bf16"
                yield Finding("no-bf16-gpu", "note", what, "train with --trainer.precision 16-mixed")
        return
    ratio = seen.torch.convolution_fp32 / seen.torch.convolution_bf16
    if ratio >= _BF16_PAYS:
        what = f"bf16 makes a convolution {ratio:.1f} times as fast on this processor"
        yield Finding("bf16-pays", "note", what, "train with --trainer.precision bf16-mixed")
    else:
        what = f"bf16 wins nothing on this processor (a convolution is {ratio:.1f} times as fast as in fp32)"
        yield Finding("bf16-does-not-pay", "note", what, "train with --trainer.precision 32")


def _room(seen: Examination) -> Iterator[Finding]:
    memory, disk = seen.memory, seen.disk
    if memory.available is not None and memory.available < _LEAST_MEMORY:
        what = f"{memory.available / _GIB:.1f} GiB of memory are available, and training may need 2"
        yield Finding("little-memory", "fail", what, "end other processes, or raise the container's limit")
    if memory.shared is not None and memory.shared < _LEAST_SHARED:
        what = f"/dev/shm has {memory.shared / 2**20:.0f} MiB free; data-loading workers hand batches over in it"
        advice = "start the container with --shm-size=2g, or train with --data.num_workers 0"
        yield Finding("small-shm", "fail", what, advice)
    if disk.free < _LEAST_DISK:
        what = f"{disk.free / _GIB:.1f} GiB are free in {disk.folder}; a run's checkpoints may not fit"
        yield Finding("little-disk", "fail", what, "make room, or give --run on another disk")
