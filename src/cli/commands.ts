/** Every command, in the order of `--help`. Each file is light: it imports the work only when it runs. */
import { annotateExport } from './annotate-export.ts';
import { annotateScore } from './annotate-score.ts';
import { annotateServe } from './annotate-serve.ts';
import { archs } from './archs.ts';
import { benchEncode } from './bench-encode.ts';
import { benchStep } from './bench-step.ts';
import { benchToyTreeCommand } from './bench-toy-tree.ts';
import type { Command } from './command.ts';
import { compareCommand } from './compare.ts';
import { demo } from './demo.ts';
import { doctor } from './doctor.ts';
import { evalCommand } from './eval.ts';
import { reproduce } from './reproduce.ts';
import { train } from './train.ts';
import { extractCommand } from './extract.ts';
import { harvestCommand } from './harvest.ts';
import { labelCommand } from './label.ts';
import { lmFetch } from './lm-fetch.ts';
import { lmInspect } from './lm-inspect.ts';
import { worldCard } from './world-card.ts';
import { worldText } from './world-text.ts';
import { worldTree } from './world-tree.ts';

export const commands: readonly Command[] = [
  demo,
  lmInspect,
  lmFetch,
  harvestCommand,
  train,
  evalCommand,
  compareCommand,
  extractCommand,
  reproduce,
  labelCommand,
  annotateExport,
  annotateServe,
  annotateScore,
  worldText,
  worldTree,
  worldCard,
  archs,
  benchStep,
  benchToyTreeCommand,
  benchEncode,
  doctor,
];
