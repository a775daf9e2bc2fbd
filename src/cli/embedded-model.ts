import { fileURLToPath } from 'node:url';

/** Folder of the language model that comes with the program, trained on the world. */
export const EMBEDDED_MODEL = fileURLToPath(new URL('../../assets/world', import.meta.url));
