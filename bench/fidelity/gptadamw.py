"""The GPT of `gpt.py`, trained by AdamW under a rate that falls along a cosine to a tenth."""

from gpt import CONFIG, EXAMPLES, FISHER, MEASUREMENT, QUERIES, make_model, write_examples
from gpt import example_losses, export, fisher_losses, measurement, read_examples, sites

__all__ = ["CONFIG", "EXAMPLES", "FISHER", "MEASUREMENT", "QUERIES", "make_model", "write_examples"]
__all__ += ["example_losses", "export", "fisher_losses", "measurement", "read_examples", "sites"]

NAME = "gptadamw"
EPOCHS, BATCH, LEARNING_RATE, FLOOR = 6, 16, 0.002, 0.1
OPTIMIZER = {"kind": "adamw", "betas": [0.9, 0.999], "epsilon": 1e-8, "weightDecay": 0.01, "batchSize": BATCH}
