/** Typed arrays that grow. */

/** The array itself if it is long enough, else a longer copy. */
export function grown<A extends Int32Array | Uint32Array | Float32Array>(array: A, length: number): A {
  if (array.length >= length) return array;
  const longer = new (array.constructor as new (length: number) => A)(Math.max(length, 2 * array.length));
  longer.set(array);
  return longer;
}
