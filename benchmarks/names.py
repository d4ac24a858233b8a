"""Names of contenders that more than one module needs."""

LOG, SCALING = "hmmlearn log", "hmmlearn scaling"
TEXTBOOK = "latent.chain"
SOFTMAX, TORCH_SOFTMAX, HALF = "softmax", "PyTorch softmax", "half the length"
