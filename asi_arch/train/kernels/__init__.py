"""fla without a GPU: PyTorch stand-ins for flash-linear-attention's operators and modules.

fla's kernels are Triton and need a CUDA device. `install` makes `import fla...` give chunked
matrix code in plain PyTorch instead, so that one program runs on both. The stand-ins have fla's
names, argument orders and parameter names; values agree with fla's naive references.
"""

__all__ = ["install"]


def install() -> None:
    """Serve the stand-ins under fla's import names, unless CUDA is there and fla itself works.

    Call it before a program is imported; calling it again does nothing. Raises ImportError if
    the real fla was imported first.
    """
    import torch

    if not torch.cuda.is_available():
        from asi_arch.train.kernels.serve import start_serving

        start_serving()
