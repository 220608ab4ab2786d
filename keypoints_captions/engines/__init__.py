"""What runs the trained networks: OpenVINO on a CPU, PyTorch on a GPU and where OpenVINO is not."""
