/**
 * One ONNX graph, y = MatMul(x, w) with w an initializer, written as protobuf bytes by hand (field numbers from onnx.proto3)
 * so that no ONNX package is needed.
 */

function varint(n) {
  const bytes = [];
  for (let v = BigInt(n); ; v >>= 7n) {
    if (v < 128n) return Buffer.from([...bytes, Number(v)]);
    bytes.push(Number(v & 127n) | 128);
  }
}
const int = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const bytes = (field, value) => Buffer.concat([varint((field << 3) | 2), varint(value.length), value]);
const text = (field, value) => bytes(field, Buffer.from(value));
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));

const FLOAT = 1;

function valueInfo(field, name, dims) {
  const shape = message(2, ...dims.map((d) => message(1, int(1, d))));
  return message(field, text(1, name), message(2, message(1, int(1, FLOAT), shape)));
}

/** x [M, K] · wt [K, N] -> y [M, N] */
export function matMulModel({ M, K, N }, wt) {
  const raw = Buffer.from(wt.buffer, wt.byteOffset, wt.byteLength);
  const node = message(1, text(1, "x"), text(1, "w"), text(2, "y"), text(4, "MatMul"));
  const initializer = message(5, int(1, K), int(1, N), int(2, FLOAT), text(8, "w"), bytes(9, raw));
  const graph = message(
    7,
    node,
    text(2, "matmul"),
    initializer,
    valueInfo(11, "x", [M, K]),
    valueInfo(12, "y", [M, N]),
  );
  return Buffer.concat([int(1, 8), graph, message(8, int(2, 17))]); // IR version 8, operator set 17
}
