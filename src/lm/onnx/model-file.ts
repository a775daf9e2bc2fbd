/** ONNX files: read with clear errors, the external data files they refer to, and the bytes of a graph that was cut. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { hasErrorCode, InputError } from '../../core/errors.ts';
import { ModelProtoSchema, type GraphProto, type ModelProto, type TensorProto } from './onnx_pb.ts';

/** A protobuf message has at most 2 GiB; larger models keep their weights in external data files. */
const MAX_FILE_BYTES = 2 ** 31 - 1;
const LFS_POINTER = 'version https://git-lfs';
const EXTERNAL = 1;

/** A model as read: weights inside the file stay views of its one buffer. */
export interface OnnxModel {
  readonly path: string;
  readonly proto: ModelProto;
  readonly graph: GraphProto;
  /** Absolute paths of the external data files that the weights are in, sorted; usually none. */
  readonly externalFiles: readonly string[];
}

/** @throws InputError if the file is missing, not ONNX, truncated, or lacks its external data */
export function readOnnxModel(path: string): OnnxModel {
  const proto = decode(readBytes(path), path);
  const { graph } = proto;
  if (!graph || graph.node.length === 0 || graph.output.length === 0) {
    throw new InputError('not a complete ONNX model: the file holds no graph with nodes and outputs', {
      where: path,
      hint: 'export or download the model again',
    });
  }
  return { path, proto, graph, externalFiles: findExternalFiles(graph, path) };
}

/** The file contents for an ONNX Runtime session. @throws InputError past protobuf's limit of 2 GiB */
export function encodeOnnxModel(proto: ModelProto, where: string): Uint8Array {
  const inline = proto.graph?.initializer.reduce((sum, tensor) => sum + tensor.rawData.length, 0) ?? 0;
  if (inline > MAX_FILE_BYTES) {
    throw new InputError('the model is too large to be cut: more than 2 GiB of weights inside one file', {
      where,
      hint: 'export it with external data',
    });
  }
  return toBinary(ModelProtoSchema, proto);
}

function readBytes(path: string): Uint8Array {
  try {
    const { size } = statSync(path);
    if (size > MAX_FILE_BYTES) {
      throw new InputError(`not an ONNX model: ${size} bytes, but such a file has at most 2 GiB`, { where: path });
    }
    return readFileSync(path);
  } catch (error) {
    if (error instanceof InputError) throw error;
    const reason = hasErrorCode(error, 'ENOENT') ? 'no such file' : (error as Error).message;
    throw new InputError(`cannot read the ONNX model: ${reason}`, {
      where: path,
      hint: 'check the path',
      cause: error,
    });
  }
}

function decode(bytes: Uint8Array, path: string): ModelProto {
  if (new TextDecoder().decode(bytes.subarray(0, LFS_POINTER.length)) === LFS_POINTER) {
    throw new InputError('this is a Git LFS pointer, not the model itself', { where: path, hint: 'git lfs pull' });
  }
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw new InputError(`not an ONNX model, or a truncated one (${bytes.length} bytes)`, {
      where: path,
      hint: 'export or download the model again',
      cause: error,
    });
  }
}

function findExternalFiles(graph: GraphProto, path: string): string[] {
  const files = new Set<string>();
  for (const tensor of graph.initializer) {
    if (tensor.dataLocation === EXTERNAL) files.add(externalFile(tensor, path));
  }
  return [...files].sort();
}

/** The file of one external tensor, checked to lie below the model's folder and to be long enough. */
function externalFile(tensor: TensorProto, path: string): string {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? '';
  const folder = dirname(path);
  const file = resolve(folder, location);
  const inside = relative(folder, file);
  if (location === '' || isAbsolute(location) || inside.startsWith('..')) {
    throw new InputError(`weight "${tensor.name}" refers to external data outside the model's folder: "${location}"`, {
      where: path,
    });
  }
  if (!existsSync(file)) {
    throw new InputError(`the external data of weight "${tensor.name}" is missing`, {
      where: file,
      hint: 'download every file of the model, not only the .onnx one',
    });
  }
  const end = Number(entries.get('offset') ?? 0) + Number(entries.get('length') ?? 0);
  const { size } = statSync(file);
  if (end > size) {
    throw new InputError(`external data is truncated: weight "${tensor.name}" ends at byte ${end} of ${size}`, {
      where: file,
      hint: 'download the file again',
    });
  }
  return file;
}
