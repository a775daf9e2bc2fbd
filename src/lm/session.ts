/** A part of a model loaded into ONNX Runtime; failures of the runtime become errors about the model or the input. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { InputError } from '../core/errors.ts';
import type { Part } from './cut.ts';
import { encodeOnnxModel, type OnnxModel } from './onnx/model-file.ts';

export interface RunOptions {
  /** Threads of the runtime; as many as there are cores by default. */
  threads?: number;
}

/** Where ONNX Runtime finds external data of a model that it is given as bytes. */
const EXTERNAL_FOLDER = 'model_external_initializers_file_folder_path';

export class Session {
  readonly #session: InferenceSession;
  readonly #outputs: readonly string[];
  /** The model's file. */
  readonly where: string;

  private constructor(session: InferenceSession, outputs: readonly string[], where: string) {
    this.#session = session;
    this.#outputs = outputs;
    this.where = where;
  }

  /** @throws InputError if ONNX Runtime refuses the graph or its weights */
  static async create(model: OnnxModel, part: Part, { threads }: RunOptions = {}): Promise<Session> {
    const where = model.path;
    const session: Record<string, unknown> = {
      // Threads that spin after a run take the cores away from everything else that this program does.
      intra_op: { allow_spinning: '0' },
      ...(model.externalFiles.length > 0 && { [EXTERNAL_FOLDER]: model.externalFolder }),
    };
    try {
      const created = await InferenceSession.create(encodeOnnxModel(part.proto, where), {
        executionProviders: ['cpu'],
        // Fatal only: what fails is thrown as well, and reported once.
        logSeverityLevel: 4,
        extra: { session },
        ...(threads !== undefined && { intraOpNumThreads: threads }),
      });
      return new Session(created, part.outputs, where);
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw cannotLoad(error, where);
    }
  }

  /** Element type of the first output, by ONNX Runtime's name for it. */
  get outputType(): string {
    const [metadata] = this.#session.outputMetadata;
    return metadata.isTensor ? metadata.type : 'not a tensor';
  }

  /**
   * @returns the part's outputs in their order
   * @throws InputError if ONNX Runtime fails, for example on a token or position that the model has no embedding for
   */
  async run(feeds: Record<string, Tensor>): Promise<Tensor[]> {
    try {
      const results = await this.#session.run(feeds, this.#outputs);
      return this.#outputs.map((name) => results[name] as Tensor);
    } catch (error) {
      throw new InputError(`the model cannot run on this input: ${firstLine(error)}`, {
        where: this.where,
        hint: 'check that the text is not longer than the context and that tokenizer and model belong together',
        cause: error,
      });
    }
  }

  /** Frees the runtime's memory; the session cannot run any more. */
  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** What ONNX Runtime says of operators that it does not know, or not for some type of numbers. */
const UNKNOWN = [
  /No Op registered for (?<operator>\w+) with domain_version of (?<version>\d+)/,
  /Fatal error: (?<domain>[\w.]*):(?<operator>\w+)\(-?\d+\) is not a registered/,
];
const NOT_IMPLEMENTED = /Could not find an implementation for (?<operator>\w+)\(\d+\)/;

function cannotLoad(error: unknown, where: string): InputError {
  const line = firstLine(error);
  const unknown = UNKNOWN.map((pattern) => pattern.exec(line)?.groups).find((groups) => groups !== undefined);
  if (unknown) {
    const { operator, version, domain } = unknown;
    const origin = version === undefined ? `of "${domain}"` : `in version ${version} of the operator set`;
    return new InputError(`the model uses an operator that ONNX Runtime does not know: ${operator} (${origin})`, {
      where,
      hint: 'export it with standard operators, and a newer or older operator set (opset)',
      cause: error,
    });
  }
  const operator = NOT_IMPLEMENTED.exec(line)?.groups?.operator;
  if (operator !== undefined) {
    return new InputError(`ONNX Runtime cannot compute ${operator} on the CPU in the model's type of numbers`, {
      where,
      hint: 'take an export in float32 or float16',
      cause: error,
    });
  }
  return new InputError(`ONNX Runtime cannot load the model: ${line}`, {
    where,
    hint: 'the file may be damaged',
    cause: error,
  });
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0].trim();
}
