/** What a training script must leave behind for Whence, ready to paste. */
export const trainingSnippet = `# What Whence needs of a PyTorch training script: checkpoints, a log, and the model as ONNX.
import csv
from pathlib import Path

import torch
from safetensors.torch import save_file

Path("checkpoints").mkdir(exist_ok=True)
log = csv.writer(open("training-log.csv", "w", newline=""))
log.writerow(["step", "learning_rate", "loss"])

# In the training loop, about six times over the whole of training:
save_file(model.state_dict(), f"checkpoints/step-{step:05d}.safetensors")

# In the training loop, at every step:
log.writerow([step, optimizer.param_groups[0]["lr"], loss.item()])

# Once, at the end: the model up to its logits, in evaluation mode, with the parameters' own names.
model.eval()
torch.onnx.export(
    model,
    (example_inputs,),
    "model.onnx",
    input_names=["input"],
    output_names=["logits"],
    dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
    dynamo=False,
    do_constant_folding=False,
)
`;
