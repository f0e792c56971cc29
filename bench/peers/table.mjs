/**
 * The table of ratios: which cell of which engine is divided by which, the floors that were set, and their printing. Knows
 * times only.
 */

/** Rows of the table: what is compared, and the floor in each of the columns Node 20, Node 24, Node 24 with revectorize. */
export const ROWS = [
  {
    cell: "gemm",
    peer: "onnxruntime-web",
    sameNode: true,
    name: "f32 GEMM 256×576×1536 : onnxruntime-web, same Node",
    floors: [1.5, 1.45, 2.7],
  },
  { cell: "gemm", peer: "tfjs-wasm", sameNode: true, name: "the same : tfjs-backend-wasm, same Node (1 thread)" },
  { cell: "gemm", peer: "jax-js", sameNode: true, name: "the same : jax-js wasm, same Node (1 thread)" },
  { cell: "gemm", peer: "onnxruntime-node", name: "the same : onnxruntime-node (native)" },
  {
    cell: "prefill exact",
    peer: "onnxruntime-web",
    sameNode: true,
    name: "prefill 256, exact : onnxruntime-web f32, same Node",
    floors: [1.4, 1.4, 2.8],
  },
  { cell: "prefill exact", peer: "onnxruntime-node", name: "the same : onnxruntime-node f32 (native)" },
  {
    cell: "prefill fast",
    peer: "llama.cpp",
    name: "prefill 256, fast : node-llama-cpp Q4_1",
    floors: [0.4, 0.85, 1.2],
  },
  { cell: "decode fast", peer: "llama.cpp", name: "decode, fast : node-llama-cpp Q4_1", floors: [0.7, 0.85, 0.9] },
  { cell: "decode fast", peer: "torch", name: "decode, fast : transformers f32 on torch", floors: [3.5, 4, 4.5] },
];

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Per row and column: ratio of speeds, its range over the rounds, and the floor. `columns` are [label, node, revectorize]. */
export function ratios(times, columns) {
  return ROWS.map((row) => ({
    ...row,
    columns: columns.map(({ label, node, floor }) => {
      const ours = times[`trimtab ${label}`]?.[row.cell];
      const peers = times[row.sameNode ? `${row.peer} ${node}` : row.peer]?.[row.cell];
      if (!ours || !peers) return undefined;
      const each = ours.map((ms, i) => peers[i] / ms).filter(Number.isFinite);
      const [low, high] = [Math.min(...each), Math.max(...each)];
      return { ratio: median(each), low, high, floor: row.floors?.[floor] };
    }),
  }));
}

/** The same as Markdown; what is below its floor is marked. */
export function markdown(rows, columns) {
  const cell = (c) => {
    if (!c) return "–";
    const floor = c.floor === undefined ? "" : `, floor ${c.floor}`;
    const below = c.floor !== undefined && c.ratio < c.floor ? " **below**" : "";
    return `${c.ratio.toFixed(2)} (${c.low.toFixed(2)}–${c.high.toFixed(2)}${floor})${below}`;
  };
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [
    line(["trimtab : peer", ...columns.map((c) => c.label)]),
    line(["---", ...columns.map(() => "---")]),
    ...rows.map((r) => line([r.name, ...r.columns.map(cell)])),
  ].join("\n");
}
