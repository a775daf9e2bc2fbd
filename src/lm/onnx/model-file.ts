/** ONNX files: read with clear errors, the external data files they refer to, and the bytes of a graph that was cut. */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
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
  /** What the locations of external data are relative to: the model's folder, except where that holds links. */
  readonly externalFolder: string;
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
  const externalFiles = findExternalFiles(graph, path);
  return { path, proto, graph, externalFiles, externalFolder: followLinks(graph, path) };
}

/** Files that the weights are in, as the graph names them relative to the model's folder; they need not be there yet. */
export function externalLocations(path: string): string[] {
  const graph = decode(readBytes(path), path).graph;
  return graph ? [...new Set(externalTensors(graph).map(locationOf))].sort() : [];
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
  return [...new Set(externalTensors(graph).map((tensor) => externalFile(tensor, path)))].sort();
}

/**
 * The Hub's cache keeps files under their checksums, and folders of links to them; ONNX Runtime refuses external data
 * whose real place is not below the folder that it is given. So where files are links, the locations (in memory only)
 * become the real ones.
 * @returns the folder that they are relative to
 */
function followLinks(graph: GraphProto, path: string): string {
  const folder = realpathSync(dirname(path));
  const tensors = externalTensors(graph);
  const real = tensors.map((tensor) => realpathSync(resolve(dirname(path), locationOf(tensor))));
  if (real.every((file) => file.startsWith(folder + sep))) return dirname(path);
  let common = dirname(real[0]);
  while (!real.every((file) => file.startsWith(common.endsWith(sep) ? common : common + sep))) common = dirname(common);
  for (const [i, tensor] of tensors.entries()) locationEntry(tensor)!.value = relative(common, real[i]);
  return common;
}

/** Those of sub-graphs included. */
function externalTensors({ initializer, node }: GraphProto): TensorProto[] {
  const inner = node.flatMap(({ attribute }) => attribute.flatMap(({ g }) => (g ? externalTensors(g) : [])));
  return [...initializer.filter(({ dataLocation }) => dataLocation === EXTERNAL), ...inner];
}

const locationEntry = (tensor: TensorProto) => tensor.externalData.find(({ key }) => key === 'location');
const locationOf = (tensor: TensorProto): string => locationEntry(tensor)?.value ?? '';

/** The file of one external tensor, checked to lie below the model's folder and to be long enough. */
function externalFile(tensor: TensorProto, path: string): string {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = locationOf(tensor);
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
