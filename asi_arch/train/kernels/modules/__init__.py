"""Stand-ins for `fla.modules`: same parameter names and shapes, plain PyTorch."""
