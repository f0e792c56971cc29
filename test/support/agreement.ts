/**
 * Runs op cases on a backend and on the float64 oracle and says where they differ: values, guard bytes, untouched inputs. For
 * every test of kernels, in Node and in a page, so it knows no test framework.
 */
import { dequantize } from "../../src/formats/index.ts";
import { buildCase, type OpCase } from "../../src/kernels/opCase.ts";
import { GUARD_BYTE, GUARD_BYTES } from "../../src/kernels/opCaseData.ts";
import { createReferenceBackend } from "../../src/kernels/reference/backend.ts";
import type { Backend, OpCall } from "../../src/tensor/backend.ts";

/** What a case left behind. */
export interface CaseResult {
  /** Labels of the tensors that the calls may change. */
  readonly outputs: readonly string[];
  /** Each tensor with its guards. */
  readonly bytes: ReadonlyMap<string, Uint8Array>;
}

type RunCalls = (calls: readonly OpCall[]) => void | Promise<void>;
export type Tolerance = Pick<OpCase, "nmse" | "relative">;

const reference = createReferenceBackend({ dequantize });

/** `run` may do what `backend.run` would in another way. */
export async function runCase(
  backend: Backend,
  c: OpCase,
  run: RunCalls = (calls) => backend.run(calls),
): Promise<CaseResult> {
  const built = buildCase(c, backend);
  await run(built.calls);
  const pending = [...built.tensors].map(
    async ([label, t]) => [label, await backend.read(t.buffer, 0, t.buffer.bytes)] as const,
  );
  const bytes = new Map(await Promise.all(pending));
  built.dispose();
  return { outputs: built.outputs, bytes };
}

/** What is wrong with a result, or with the backend's own, a line a tensor. `tolerance` replaces the case's own. */
export async function disagreements(
  from: Backend | CaseResult,
  c: OpCase,
  tolerance: Tolerance = c,
): Promise<string[]> {
  const got = "bytes" in from ? from : await runCase(from, c);
  const want = await runCase(reference, c);
  return [...want.bytes].flatMap(([label, expected]) => {
    const bytes = got.bytes.get(label)!;
    const what = `${c.name}: ${label}`;
    const guards = [...bytes.subarray(0, GUARD_BYTES), ...bytes.subarray(-GUARD_BYTES)];
    if (guards.some((b) => b !== GUARD_BYTE)) return [`${what}: wrote outside its tensor`];
    if (!want.outputs.includes(label))
      return bytes.every((b, i) => b === expected[i]) ? [] : [`${what}: an input changed`];
    const wrong = difference(floats(bytes), floats(expected), tolerance);
    return wrong === undefined ? [] : [`${what}: ${wrong}`];
  });
}

const floats = (bytes: Uint8Array): Float32Array =>
  new Float32Array(bytes.buffer, bytes.byteOffset + GUARD_BYTES, (bytes.byteLength - 2 * GUARD_BYTES) / 4);

/** NaN and the infinities must be in the same places; the rest is compared by NMSE and by the worst element. */
function difference(got: Float32Array, want: Float32Array, { nmse, relative }: Tolerance): string | undefined {
  let [error, power, ordinary] = [0, 0, 0];
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [got[i]!, want[i]!];
    if (Number.isFinite(g) && Number.isFinite(w)) {
      error += (g - w) ** 2;
      power += w ** 2;
      if (Math.abs(w) < 1e15) ordinary += w ** 2;
    } else if (!Object.is(g, w)) return `element ${i} is ${g}, expected ${w}`;
  }
  if (!(error <= nmse * power)) return `NMSE ${error / power}, at most ${nmse}`;
  const rms = Math.sqrt(ordinary / Math.max(1, want.length));
  const worst = want.findIndex((w, i) => Math.abs(got[i]! - w) > relative * (Math.abs(w) + rms));
  return worst < 0 ? undefined : `element ${worst} is ${got[worst]}, expected ${want[worst]}`;
}
