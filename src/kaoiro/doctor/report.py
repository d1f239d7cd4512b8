"""What the examination found, on one screen or as JSON."""

import json
import textwrap
from dataclasses import asdict, dataclass, field
from typing import Final

from kaoiro.doctor.machine import Disk, Memory, Processor
from kaoiro.doctor.torch_state import TorchState

FORMAT: Final = 1
_WIDTH: Final = 100
_LABEL: Final = 13


@dataclass(frozen=True)
class Finding:
    """Something that would be slow or fail.

    Attributes:
        code: a fixed name, for programs.
        severity: `fail`, `slow`, or `note` where nothing is wrong but something can be won or is missing.
        what: what is so, and why it matters.
        advice: what to do.
    """

    code: str
    severity: str
    what: str
    advice: str


@dataclass(frozen=True)
class Examination:
    """All that the doctor looked at; None where something is not installed or the system does not tell.

    Attributes:
        kaoiro, python, system: versions.
        packages: versions by package.
        outdated: by package, the version installed and the least one that Kaoiro asks for.
        doubled: packages of which two install the same module.
        processor, memory, disk: the machine.
        nvidia_driver: whether the machine has one.
        providers: what ONNX Runtime can compute with.
        torch: what torch sees.
        torch_problem: why torch does not load though it is installed.
        variables: the environment variables that govern threads and devices; None where not set.
        findings: what would be slow or fail.
    """

    kaoiro: str
    python: str
    system: str
    packages: dict[str, str | None]
    outdated: dict[str, tuple[str, str]]
    doubled: list[str]
    processor: Processor
    memory: Memory
    disk: Disk
    nvidia_driver: bool
    providers: list[str]
    torch: TorchState | None
    torch_problem: str | None
    variables: dict[str, str | None]
    findings: list[Finding] = field(default_factory=list)

    def to_json(self) -> str:
        """The examination as JSON; docs/doctor.md describes it."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False) + "\n"

    def to_text(self) -> str:
        """The examination on one screen, at most 100 columns wide."""
        lines = [f"kaoiro {self.kaoiro} on Python {self.python}, {self.system}", ""]
        for label, text in self._parts():
            lines += textwrap.wrap(text, _WIDTH, initial_indent=f"{label:{_LABEL}}", subsequent_indent=" " * _LABEL)
        lines.append("")
        if not self.findings:
            lines.append("nothing to report")
        for finding in self.findings:
            text = f"{finding.what}; {finding.advice}"
            lines += textwrap.wrap(text, _WIDTH, initial_indent=f"{finding.severity:6}", subsequent_indent=" " * 6)
        return "\n".join(lines) + "\n"

    def _parts(self) -> list[tuple[str, str]]:
        installed = ", ".join(f"{name} {version}" for name, version in self.packages.items() if version is not None)
        missing = ", ".join(name for name, version in self.packages.items() if version is None)
        cpu, ram = self.processor, self.memory
        parts = [("packages", installed)]
        if missing:
            parts.append(("", f"not installed: {missing}"))
        quota = "" if cpu.quota is None else f", {cpu.quota:g} cores' worth of time"
        cores = (
            f"{cpu.allowed_cores} of {cpu.logical_cores} logical cores allowed{quota}, {cpu.physical_cores} physical"
        )
        load = "" if cpu.load is None else f"; load {cpu.load:.1f}"
        parts.append(("processor", f"{cpu.name}; {cores}{load}"))
        parts.append(("", f"instructions: {' '.join(cpu.instructions) or 'none of those that matter here'}"))
        parts.append(("gpu", self._gpu_text()))
        parts.append(("onnxruntime", ", ".join(self.providers)))
        if self.torch is not None:
            ratio = self.torch.convolution_fp32 / self.torch.convolution_bf16
            parts.append(
                (
                    "bf16",
                    f"a convolution on one core takes {self.torch.convolution_fp32 * 1000:.1f} ms in fp32, "
                    f"{self.torch.convolution_bf16 * 1000:.1f} ms in bf16: {ratio:.1f} times as fast",
                )
            )
            threads = f"torch uses {self.torch.threads}, and {self.torch.threads_between} between operations; "
        else:
            threads = ""
        parts.append(("threads", f"{threads}ONNX Runtime one for each physical core unless told otherwise"))
        given = [f"{name}={value}" for name, value in self.variables.items() if value is not None]
        unset = [name for name, value in self.variables.items() if value is None]
        parts.append(("", " ".join(given + ([f"(not set: {', '.join(unset)})"] if unset else []))))
        limit = "" if ram.limit is None else f", limit {_gib(ram.limit)}"
        parts.append(
            ("memory", f"{_gib(ram.available)} of {_gib(ram.total)} available{limit}; /dev/shm {_gib(ram.shared)}")
        )
        parts.append(("disk", f"{_gib(self.disk.free)} of {_gib(self.disk.total)} free in {self.disk.folder}"))
        return parts

    def _gpu_text(self) -> str:
        if self.torch is None:
            return "not asked, for want of torch"
        if self.torch.gpus:
            return "; ".join(
                f"{gpu.name}, {_gib(gpu.memory)}, capability {gpu.capability}, bf16: {'yes' if gpu.bf16 else 'no'}"
                for gpu in self.torch.gpus
            )
        build = f"for CUDA {self.torch.cuda_build}" if self.torch.cuda_build else "for the CPU"
        return f"{'Apple (MPS)' if self.torch.mps else 'none'}; torch is built {build}"


def _gib(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 2**30:.1f} GiB"
