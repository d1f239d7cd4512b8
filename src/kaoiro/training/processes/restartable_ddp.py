"""Lightning's DistributedDataParallel strategy, made fit for `torchrun --max-restarts`."""

import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy
from torch.distributed.constants import default_pg_timeout

from kaoiro.training.processes.distributed import process_group_store
from kaoiro.training.processes.launcher import current_launch


class RestartableDDPStrategy(DDPStrategy):
    """DDP whose processes connect through keys of their own start of the job.

    The store of `torchrun`'s agent outlives a restart, and torch reads the addresses of the processes from it under
    the same keys each time: those before the restart, where the new ones have not written theirs yet
    (https://github.com/pytorch/pytorch/issues/135712).
    """

    def setup_distributed(self) -> None:
        launch = current_launch()
        store = process_group_store(launch, self._timeout or default_pg_timeout) if launch else None
        if launch is not None and store is not None and not dist.is_initialized():
            dist.init_process_group(
                self._get_process_group_backend(),
                store=store,
                rank=launch.rank,
                world_size=launch.processes,
                timeout=self._timeout,
                device_id=None if self.root_device.type == "cpu" else self.root_device,
            )
        # What is left to do; a process group that is there stays.
        super().setup_distributed()

    def teardown(self) -> None:
        super().teardown()
        # NCCL warns where the group is left to the interpreter's end.
        if dist.is_initialized() and dist.get_backend() == "nccl":
            dist.destroy_process_group()
