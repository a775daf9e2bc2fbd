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
  readonly #where: string;

  private constructor(session: InferenceSession, outputs: readonly string[], where: string) {
    this.#session = session;
    this.#outputs = outputs;
    this.#where = where;
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
      throw new InputError(`ONNX Runtime cannot load the model: ${firstLine(error)}`, {
        where,
        hint: 'the file may be damaged, or use operators that this version of ONNX Runtime does not have',
        cause: error,
      });
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
      const results = await this.#session.run(feeds);
      return this.#outputs.map((name) => results[name] as Tensor);
    } catch (error) {
      throw new InputError(`the model cannot run on this input: ${firstLine(error)}`, {
        where: this.#where,
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

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0].trim();
}
