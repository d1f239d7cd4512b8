"""What torch sees. This is the one file of the doctor that imports it, and it is called only where it is installed."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

_SIDE: Final = 48
_CHANNELS: Final = 64
_BATCH: Final = 8
_SECONDS: Final = 0.25


@dataclass(frozen=True)
class Gpu:
    """A CUDA device: its name, memory in bytes, compute capability, and whether it computes in bf16."""

    name: str
    memory: int
    capability: str
    bf16: bool


@dataclass(frozen=True)
class TorchState:
    """What torch sees.

    Attributes:
        cuda_build: the CUDA version that torch was built for; None for a CPU build.
        gpus: the CUDA devices.
        mps: whether Apple's GPU can be used.
        threads: threads within one operation.
        threads_between: operations that may run side by side.
        convolution_fp32: seconds that a small 3×3 convolution takes on one core, forward, in float32: the best of
            several times, so that what others do on the machine counts little.
        convolution_bf16: the same in bfloat16.
    """

    cuda_build: str | None
    gpus: list[Gpu]
    mps: bool
    threads: int
    threads_between: int
    convolution_fp32: float
    convolution_bf16: float


def torch_state() -> TorchState:
    """Ask torch, and time a convolution for half a second.

    Raises:
        ImportError, OSError: torch is installed, but does not load.
    """
    import torch

    gpus = []
    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        # From 8.0 on the chip computes in bf16; torch can imitate it on older ones, more slowly than fp32.
        gpus.append(Gpu(about.name, about.total_memory, f"{about.major}.{about.minor}", about.major >= 8))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        fp32, bf16 = _convolution_seconds(torch.float32), _convolution_seconds(torch.bfloat16)
    finally:
        torch.set_num_threads(threads)
    return TorchState(
        cuda_build=torch.version.cuda,
        gpus=gpus,
        mps=torch.backends.mps.is_available(),
        threads=threads,
        threads_between=torch.get_num_interop_threads(),
        convolution_fp32=fp32,
        convolution_bf16=bf16,
    )


def _convolution_seconds(dtype: "torch.dtype") -> float:
    import torch

    convolution = torch.nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1, dtype=dtype).to(memory_format=torch.channels_last)
    faces = torch.ones(_BATCH, _CHANNELS, _SIDE, _SIDE, dtype=dtype).contiguous(memory_format=torch.channels_last)
    times: list[float] = []
    with torch.inference_mode():
        convolution(faces)
        end = time.perf_counter() + _SECONDS
        while not times or time.perf_counter() < end:
            begin = time.perf_counter()
            convolution(faces)
            times.append(time.perf_counter() - begin)
    return min(times)
