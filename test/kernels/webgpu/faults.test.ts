/**
 * What a user is told when a GPU fails them: no adapter, only a software one, too little, a lost device, no memory, misuse.
 */
import { afterEach, describe, expect, it, vi } from "vitest";
import { createWebgpuBackend } from "../../../src/kernels/index.ts";
import { DeviceError, InputError } from "../../../src/tensor/errors.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { mockDevice } from "./mockDevice.ts";

interface MockAdapter {
  info: object;
  limits: object;
  features?: Set<string>;
  requestDevice?: (d: object) => Promise<object>;
}

function stubAdapter(adapter: MockAdapter | null): void {
  const whole = adapter && { features: new Set(), requestDevice: async () => mockDevice().device, ...adapter };
  vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => whole } });
}

const { limits } = mockDevice().device;
const hardware = { vendor: "acme", architecture: "one", description: "Acme One" };
const swiftshader = { vendor: "google", architecture: "swiftshader", description: "SwiftShader driver" };

describe("opening a device", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.unstubAllEnvs();
  });

  it("says that there is no adapter", async () => {
    stubAdapter(null);
    await expect(createWebgpuBackend()).rejects.toThrow(/no adapter was found — install a Vulkan/);
  });

  it("takes a software adapter by name only", async () => {
    stubAdapter({ info: swiftshader, limits });
    await expect(createWebgpuBackend({ adapter: "hardware" })).rejects.toThrow(
      /only adapter is google swiftshader.*runs on the CPU.*TRIMTAB_GPU=software/,
    );
    expect((await createWebgpuBackend({ adapter: "software" })).name).toBe("webgpu");
    vi.stubEnv("TRIMTAB_GPU", "software");
    expect((await createWebgpuBackend()).name).toBe("webgpu");
    stubAdapter({ info: hardware, limits });
    await expect(createWebgpuBackend()).rejects.toThrow(/software adapter was asked for, and acme one Acme One/);
  });

  it("names the limit that is too small, and asks for all that the adapter has", async () => {
    stubAdapter({ info: hardware, limits: { ...limits, maxStorageBufferBindingSize: 2 ** 26 } });
    await expect(createWebgpuBackend()).rejects.toThrow(/maxStorageBufferBindingSize 67108864, expected 134217728/);
    let asked: object = {};
    const requestDevice = async (d: object) => {
      asked = d;
      return mockDevice().device;
    };
    const features = new Set(["shader-f16", "subgroups", "depth-clip-control"]);
    stubAdapter({ info: hardware, limits, features, requestDevice });
    await createWebgpuBackend({ without: ["subgroups"] });
    expect(asked).toMatchObject({ requiredFeatures: ["shader-f16"], requiredLimits: { maxBufferSize: 2 ** 30 } });
  });

  it("refuses unknown options", async () => {
    await expect(createWebgpuBackend({ adaptor: "software" } as never)).rejects.toThrow(/did you mean "adapter"/);
    await expect(createWebgpuBackend({ adapter: "gpu" } as never)).rejects.toThrow(InputError);
    await expect(createWebgpuBackend({ adapter: "sofware" } as never)).rejects.toMatchObject({
      hint: 'did you mean "software"?',
    });
    vi.stubEnv("TRIMTAB_GPU", "hard");
    await expect(createWebgpuBackend()).rejects.toThrow(/TRIMTAB_GPU "hard"/);
  });
});

describe("a device that fails", () => {
  it("is reported lost by the next call, and another one works", async () => {
    const mock = mockDevice();
    const backend = await createWebgpuBackend({ device: mock.device });
    const buffer = backend.alloc(64, "x");
    mock.lose("driver reset");
    await expect(backend.read(buffer, 0, 64)).rejects.toThrow(/device was lost: driver reset — load the model again/);
    expect(() => backend.run([])).toThrow(DeviceError);
    expect(() => backend.alloc(64, "y")).toThrow(/lost/);
    backend.dispose();
    const next = await createWebgpuBackend({ device: mockDevice().device });
    expect(await next.read(next.alloc(64, "x"), 0, 64)).toHaveLength(64);
  });

  it("reports a failed allocation as E_OOM with its size and name", async () => {
    const mock = mockDevice();
    const backend = await createWebgpuBackend({ device: mock.device });
    mock.memoryBytes = 1 << 20;
    const buffer = backend.alloc(2 << 20, "kv.k");
    await expect(backend.read(buffer, 0, 64)).rejects.toMatchObject({ code: "E_OOM" });
    expect(() => backend.alloc(64, "y")).toThrow(/no device memory for 2097152 bytes \(kv\.k\)/);
    expect(() => backend.alloc(2 ** 31, "y")).toThrow(DeviceError);
  });

  it("names the lack of memory, not what followed from it", async () => {
    const mock = mockDevice();
    const backend = await createWebgpuBackend({ device: mock.device });
    mock.memoryBytes = 1 << 20;
    const buffer = backend.alloc(2 << 20, "logits");
    mock.fail("[Buffer logits] is invalid");
    await expect(backend.read(buffer, 0, 64)).rejects.toMatchObject({ code: "E_DEVICE" });
    expect(() => backend.run([])).toThrow(/no device memory for 2097152 bytes \(logits\)/);
  });

  it("reports what the driver refused", async () => {
    const mock = mockDevice();
    const backend = await createWebgpuBackend({ device: mock.device });
    mock.fail("binding 3 is wrong");
    expect(() => backend.run([])).toThrow(/binding 3 is wrong/);
  });
});

describe("misuse", async () => {
  const backend = await createWebgpuBackend({ device: mockDevice().device });
  const buffer = backend.alloc(64, "x");

  it("is refused with the reason", async () => {
    const other = (await createWebgpuBackend({ device: mockDevice().device })).createMatrix("w", [
      { dtype: "f32", n: 1, k: 4, bytes: new Uint8Array(16) },
    ]);
    const [ids, y] = [new Tensor(backend, buffer, "i32", [1]), new Tensor(backend, buffer, "f32", [1, 4])];
    expect(() => backend.run([{ op: "embed", table: other, ids, y }])).toThrow(/belongs to another backend/);
    expect(() => backend.write(buffer, new Uint8Array(3))).toThrow(/whole words of 4 bytes/);
    expect(() => backend.write(buffer, new Uint8Array(64), 4)).toThrow(/bytes 4\.\.68 of buffer x, which has 64/);
    expect(() => backend.readInto(buffer)).toThrow(/without waiting/);
    await expect(backend.read(buffer, 60, 8)).rejects.toThrow(/60\.\.68/);
    expect(() => backend.run([{ op: "host", label: "hook_embed", run: () => {} }])).toThrow(
      /JavaScript \("hook_embed"\)/,
    );
    const freed = backend.alloc(8, "gone");
    backend.free(freed);
    backend.free(freed);
    expect(() => backend.write(freed, new Uint8Array(8))).toThrow(/buffer gone was freed/);
    const parts = [{ dtype: "q8_0" as const, n: 1, k: 33, bytes: new Uint8Array(34) }];
    expect(() => backend.createMatrix("w", parts)).toThrow(/multiple of 32/);
    expect(() => backend.createMatrix("w", [{ dtype: "i32", n: 1, k: 1, bytes: new Uint8Array(4) }])).toThrow(/i32/);
  });

  it("of a disposed backend too", async () => {
    const gone = await createWebgpuBackend({ device: mockDevice().device });
    const b = gone.alloc(8, "b");
    gone.dispose();
    gone.dispose();
    gone.free(b);
    expect(() => gone.alloc(8, "c")).toThrow(/after the backend was disposed/);
    expect(gone.counters.liveBytes).toBe(0);
  });
});

describe("runAsync", () => {
  it("waits for JavaScript between the parts of a list", async () => {
    const mock = mockDevice();
    const backend = await createWebgpuBackend({ device: mock.device });
    const [a, b] = ["a", "b"].map((label) => new Tensor(backend, backend.alloc(16, label), "f32", [1, 4]));
    const order: string[] = [];
    const host = (label: string) => ({
      op: "host" as const,
      label,
      run: async () => {
        await a!.read();
        order.push(label);
      },
    });
    const add = { op: "add", a: a!, b: b!, y: b! } as const;
    await backend.runAsync([add, host("first"), add, add, host("second")]);
    expect(order).toEqual(["first", "second"]);
    expect(mock.counts).toMatchObject({ dispatches: 3, passes: 2 });
  });
});
