/** References to models on the Hugging Face Hub: `hf:owner/name[@revision][/path/to/model.onnx]`. */
import { UsageError } from '../../core/errors.ts';

export interface HubReference {
  /** `owner/name` */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** The ONNX file, where it is not the usual one. */
  readonly file: string | undefined;
}

const PREFIX = 'hf:';
const REFERENCE = /^hf:([^/@]+)\/([^/@]+)(?:@([^/]*))?(?:\/(.*))?$/;
/** Owners and names, by the Hub's rules. */
const NAME = /^(?!.*(?:--|\.\.))\w(?:[\w.-]{0,94}\w)?$/;

export function isHubReference(text: string): boolean {
  return text.startsWith(PREFIX);
}

/**
 * @param text a revision that contains slashes has them written as `%2F`, e.g. `hf:owner/name@refs%2Fpr%2F1`
 * @throws UsageError saying how a reference is written
 */
export function parseReference(text: string): HubReference {
  const [, owner = '', name = '', written = 'main', file] = REFERENCE.exec(text) ?? [];
  const revision = decoded(written);
  const isOnnx = file === undefined || (isConfined(file) && file.endsWith('.onnx'));
  if (!NAME.test(owner) || !NAME.test(name) || !isConfined(revision) || !isOnnx) {
    throw new UsageError(`"${text}" does not name a model on the Hub`, {
      hint: 'hf:owner/name, hf:owner/name@revision or hf:owner/name@revision/onnx/model_q4.onnx',
    });
  }
  return { repo: `${owner}/${name}`, revision, file };
}

export function formatReference({ repo, revision, file }: HubReference): string {
  const at = revision === 'main' ? '' : `@${encodeURIComponent(revision)}`;
  return `${PREFIX}${repo}${at}${file === undefined ? '' : `/${file}`}`;
}

/**
 * Whether a path of a repository stays in the folder that it is joined to, on every system. What the Hub lists was
 * written by strangers.
 */
export function isConfined(path: string): boolean {
  return path.split('/').every((part) => !['', '.', '..'].includes(part) && !/^[a-z]:|[\\\p{Cc}]/iu.test(part));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
