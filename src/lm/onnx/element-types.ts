/** Element types of ONNX tensors (TensorProto.DataType) that occur at the edges of language models. */
export const FLOAT = 1;
export const INT32 = 6;
export const INT64 = 7;
export const BOOL = 9;
export const FLOAT16 = 10;
export const DOUBLE = 11;
export const BFLOAT16 = 16;

export type ElementType = typeof FLOAT | typeof FLOAT16 | typeof DOUBLE;

/** The type by ONNX Runtime's name for it; undefined for one that activations cannot have. */
export function elementTypeOf(name: string): ElementType | undefined {
  if (name === 'float32') return FLOAT;
  if (name === 'float16') return FLOAT16;
  return name === 'float64' ? DOUBLE : undefined;
}
