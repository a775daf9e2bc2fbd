/**
 * The one ONNX graph that the engine needs, as bytes: y = op(a)·op(b) (+ bias). Protobuf is written by hand here because
 * thirty lines suffice; users' models go through a real protobuf library (lm/onnx).
 */

const FLOAT = 1;
const INT_ATTRIBUTE = 2;

/** ModelProto with a single Gemm of free sizes: inputs a, b and (if asked) bias, output y. */
export function gemmModel(transposeA: boolean, transposeB: boolean, bias: boolean): Uint8Array {
  const inputs = bias ? ['a', 'b', 'bias'] : ['a', 'b'];
  const node = [
    ...inputs.map((name) => text(1, name)),
    text(2, 'y'),
    text(4, 'Gemm'),
    message(5, [text(1, 'transA'), integer(3, transposeA ? 1 : 0), integer(20, INT_ATTRIBUTE)]),
    message(5, [text(1, 'transB'), integer(3, transposeB ? 1 : 0), integer(20, INT_ATTRIBUTE)]),
  ];
  const graph = [
    message(1, node),
    text(2, 'gemm'),
    ...inputs.map((name) => message(11, floats(name, [`${name}0`, `${name}1`]))),
    message(12, floats('y', ['m', 'n'])),
  ];
  const opset17 = message(8, [text(1, ''), integer(2, 17)]);
  return Uint8Array.from([integer(1, 8), message(7, graph), opset17].flat());
}

/** ValueInfoProto of a float32 tensor with named dimensions. */
function floats(name: string, dimensions: readonly string[]): number[][] {
  const shape = message(
    2,
    dimensions.map((dimension) => message(1, [text(2, dimension)])),
  );
  return [text(1, name), message(2, [message(1, [integer(1, FLOAT), shape])])];
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}

const integer = (field: number, value: number): number[] => [...varint(field * 8), ...varint(value)];
const lengthDelimited = (field: number, bytes: readonly number[]): number[] => [
  ...varint(field * 8 + 2),
  ...varint(bytes.length),
  ...bytes,
];
const text = (field: number, value: string): number[] => lengthDelimited(field, [...new TextEncoder().encode(value)]);
const message = (field: number, parts: readonly number[][]): number[] => lengthDelimited(field, parts.flat());
