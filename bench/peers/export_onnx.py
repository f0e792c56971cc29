"""Exports a GGUF checkpoint as a float32 ONNX graph: ids [1, T] int64 -> logits [1, V] of the last position.

usage: python export_onnx.py MODEL.gguf OUT.onnx [T]

The weights are the dequantised ones of the GGUF, so that every engine computes the same function. T is fixed: a graph of
fixed shape is what suits the peer best.
"""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM


class LastLogits(torch.nn.Module):
    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=ids, use_cache=False, logits_to_keep=1).logits[:, -1]


def main() -> None:
    gguf, out = Path(sys.argv[1]), Path(sys.argv[2])
    positions = int(sys.argv[3]) if len(sys.argv) > 3 else 256
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32).eval()
    ids = torch.arange(100, 100 + positions).unsqueeze(0)
    out.parent.mkdir(parents=True, exist_ok=True)
    with torch.inference_mode():
        program = torch.onnx.export(LastLogits(model), (ids,), input_names=["ids"], output_names=["logits"], dynamo=True)
    program.save(str(out), external_data=False)
    print(f"{out}: {out.stat().st_size / 1e6:.0f} MB, {positions} positions")


if __name__ == "__main__":
    main()
