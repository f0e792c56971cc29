/** The goldens in the repository are those of ../shared, byte for byte; the one that was cut has its kept rows unchanged. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readGoldens } from "./support/goldens.ts";
import { describeNeeding, fixtures, needShared, shared } from "./support/needs.ts";

const MOST_BYTES = 8e6;
const CUT = join("smollm2", "forward.safetensors");
const files = readdirSync(fixtures, { recursive: true, encoding: "utf8" }).filter((f) =>
  statSync(join(fixtures, f)).isFile(),
);

it("fixtures stay small", () => {
  expect(files.reduce((bytes, f) => bytes + statSync(join(fixtures, f)).size, 0)).toBeLessThan(MOST_BYTES);
});

describeNeeding(needShared("golden"), "fixtures from ../shared/golden", () => {
  const golden = join(shared!, "golden");

  it("are unchanged", () => {
    const copied = files.filter((f) => /^(tiny|smollm2|steering)\//.test(f) && f !== CUT);
    expect(copied.length).toBeGreaterThan(30);
    const differing = copied.filter((f) => !readFileSync(join(fixtures, f)).equals(readFileSync(join(golden, f))));
    expect(differing).toEqual([]);
  });

  it("keep the numbers of the forward pass that was cut", async () => {
    const [cut, whole] = await Promise.all([readGoldens(join(fixtures, CUT)), readGoldens(join(golden, CUT))]);
    for (const name of ["ids", "greedy", "resid_post"]) {
      expect(cut.get(name)!.ints).toEqual(whole.get(name)!.ints);
      expect(sameBits(cut.get(name)!.data, whole.get(name)!.data), name).toBe(true);
    }
    const V = whole.get("logits")!.shape[1]!;
    const rows = cut.get("logit_rows")!.ints;
    expect(rows.length).toBe(3);
    for (const [i, row] of rows.entries()) {
      const [kept, its] = [cut.get("logits")!.data, whole.get("logits")!.data];
      expect(sameBits(kept.subarray(i * V, (i + 1) * V), its.subarray(row * V, (row + 1) * V)), `row ${row}`).toBe(
        true,
      );
    }
  });
});

function sameBits(a: Float32Array, b: Float32Array): boolean {
  const bytes = (x: Float32Array): Buffer => Buffer.from(x.buffer, x.byteOffset, x.byteLength);
  return bytes(a).equals(bytes(b));
}
