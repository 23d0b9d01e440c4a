"""The MLP of `mlp.py`, trained by AdamW for six epochs."""

from mlp import CONFIG, EXAMPLES, FISHER, FLOOR, MEASUREMENT, QUERIES, make_model, write_examples
from mlp import example_losses, export, fisher_losses, measurement, read_examples, sites

__all__ = ["CONFIG", "EXAMPLES", "FISHER", "FLOOR", "MEASUREMENT", "QUERIES", "make_model", "write_examples"]
__all__ += ["example_losses", "export", "fisher_losses", "measurement", "read_examples", "sites"]

NAME = "adamw"
EPOCHS, BATCH, LEARNING_RATE = 6, 64, 0.001
OPTIMIZER = {"kind": "adamw", "betas": [0.9, 0.999], "epsilon": 1e-8, "weightDecay": 0.01, "batchSize": BATCH}
