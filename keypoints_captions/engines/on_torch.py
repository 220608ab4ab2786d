"""Networks in PyTorch: on a GPU, in training, and where no other engine is installed."""

from typing import Any

import numpy as np
import torch

from keypoints_captions.engines.engine import Engine


class TorchEngine(Engine):
    """Runs a module with `inputs` and `outputs` (`Ports`) on the device that it is on."""

    def __init__(self, module: Any) -> None:
        self.module = module.eval()
        self.inputs, self.outputs = module.inputs, module.outputs
        parameter = next(module.parameters())
        self.device: torch.device = parameter.device
        self.name = f"PyTorch {str(parameter.dtype).removeprefix('torch.')}"

    @torch.inference_mode()
    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        tensors = (
            torch.from_numpy(np.ascontiguousarray(inputs[name])).to(self.device)
            for name in self.inputs
        )
        results = self.module(*tensors)
        arrays = (result.float().cpu().numpy() for result in results)
        return dict(zip(self.outputs, arrays, strict=True))
