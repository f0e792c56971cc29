/** onnxruntime-web on its WebGPU provider; w is a constant of the graph. */
import "../gpu.mjs";
import { best, serve } from "../../child.mjs";
import { matMulModel } from "../../onnx.mjs";
import { adapterName } from "../gpu.mjs";
import { check, inputs, ROUND_MS, size } from "../work.mjs";

/** Dawn in Node takes no shared memory, which onnxruntime-web's WebAssembly has: its weights and inputs are copied first. */
const { writeBuffer } = GPUQueue.prototype;
GPUQueue.prototype.writeBuffer = function (buffer, offset, data, from = 0, length = data.length) {
  const own = new data.constructor(data.subarray(from, from + length));
  writeBuffer.call(this, buffer, offset, own);
};

await serve(async () => {
  const adapter = await adapterName();
  const ort = await import("onnxruntime-web/webgpu");
  const given = inputs();
  const model = matMulModel({ M: size, K: size, N: size }, given.wt);
  const session = await ort.InferenceSession.create(model, { executionProviders: ["webgpu"] });
  const device = await ort.env.webgpu.device;
  const { STORAGE, COPY_DST, COPY_SRC } = GPUBufferUsage;
  const buffer = device.createBuffer({ size: given.x.byteLength, usage: STORAGE | COPY_DST | COPY_SRC });
  device.queue.writeBuffer(buffer, 0, given.x);
  const x = ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: [size, size] });
  const run = async () => (await session.run({ x })).y.data;
  check(await run(), given);
  await best(run, 500, 3);
  return { facts: { adapter }, round: async () => ({ x·w: await best(run, ROUND_MS, 3) }) };
});
