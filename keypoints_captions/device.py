"""Choice of the device that networks run on."""

import torch


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """The device of that name; without one a CUDA GPU where there is one, else the processor.

    Raises:
        ValueError: torch knows no such device, or this machine has none.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        picked = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"Expected a device of torch, such as cpu, cuda or cuda:1, got {device!r}."
        ) from error
    advice = "leave the device out for the best there is."
    if picked.type == "cuda" and (picked.index or 0) >= (count := torch.cuda.device_count()):
        raise ValueError(
            f"Expected one of the {count} CUDA GPUs that torch sees here, got {device!r}; {advice}"
        )
    if picked.type not in ("cpu", "cuda"):
        try:
            torch.zeros(1, device=picked).cpu()
        except Exception as error:  # what torch has not been built for raises anything
            raise ValueError(
                f"Expected a device that torch can use here, got {device!r}; {advice}"
            ) from error
    return picked
