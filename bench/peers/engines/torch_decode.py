"""transformers on torch, float32, the dequantised weights of the same GGUF. Speaks the protocol of child.mjs. Task: fast.

usage: python torch_decode.py MODEL.gguf THREADS PROMPT_TOKENS NEW_TOKENS
"""

import json
import os
import sys
import time
from pathlib import Path

protocol = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # libraries that print must not break the protocol

import torch
import transformers
from transformers import AutoModelForCausalLM, DynamicCache


def reply(message: dict) -> None:
    protocol.write(json.dumps(message) + "\n")
    protocol.flush()


def decode(model: torch.nn.Module, prompt: list[int], count: int) -> tuple[int, float]:
    """Greedy decoding of `count` tokens behind the prompt: the first token, and the least milliseconds of one step."""
    cache = DynamicCache()
    logits = model(torch.tensor([prompt]), past_key_values=cache, use_cache=True, logits_to_keep=1).logits
    first = token = int(logits[0, -1].argmax())
    least = float("inf")
    for _ in range(count):
        start = time.perf_counter()
        logits = model(torch.tensor([[token]]), past_key_values=cache, use_cache=True, logits_to_keep=1).logits
        token = int(logits[0, -1].argmax())
        least = min(least, 1000 * (time.perf_counter() - start))
    return first, least


def main() -> None:
    gguf = Path(sys.argv[1])
    threads, prompt_tokens, new_tokens = (int(a) for a in sys.argv[2:5])
    torch.set_num_threads(threads)
    prompt = [100 + i * 7919 % 20_000 for i in range(prompt_tokens)]
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32).eval()
    with torch.inference_mode():
        first, _ = decode(model, prompt, 8)
        facts = {"version": f"{transformers.__version__} on torch {torch.__version__}", "threads": threads, "next": first}
        reply({"ready": facts})
        for line in sys.stdin:
            if line.strip() != "go":
                break
            reply({"times": {"decode fast": decode(model, prompt, new_tokens)[1]}})


if __name__ == "__main__":
    main()
