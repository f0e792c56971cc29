"""Cuts smollm2/forward.safetensors (9.8 MB) to what fits into the repository.

Usage:  python scripts/cut_goldens.py SHARED_GOLDEN test/fixtures
Keeps ids, greedy and resid_post whole, and the logits of three rows (first, middle, last), whose numbers are in `logit_rows`.
"""
import sys
from pathlib import Path
import numpy as np
from safetensors.numpy import load_file, save_file

source, target = Path(sys.argv[1]), Path(sys.argv[2])
golden = load_file(source / "smollm2" / "forward.safetensors")
rows = np.array([0, len(golden["ids"]) // 2, len(golden["ids"]) - 1], dtype=np.int64)
cut = {k: golden[k] for k in ("ids", "greedy", "resid_post")} | {"logits": np.ascontiguousarray(golden["logits"][rows]), "logit_rows": rows}
save_file(cut, target / "smollm2" / "forward.safetensors")
