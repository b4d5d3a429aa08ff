"""Stands in for PyTorch, gigabytes that the MLP does not need: TorchServe asks only whether an answer is a Tensor."""


class Tensor:
    pass
