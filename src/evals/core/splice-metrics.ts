/** Cross entropy and KL with the reconstruction spliced in, as metrics. */
import { dot, total, type Bootstrap, type Metric, type Metrics } from '../metric.ts';
import type { LossSums } from './next-token.ts';
import type { SpliceSums } from './splice.ts';

const REPLACED =
  'at every position whose row the harvest stored; positions that it left out (by default BOS) keep their residual';
const PREDICTED = 'mean over predicted tokens whose source position was stored';

const ABLATIONS = {
  ce_clean: 'of the untouched model',
  ce_zero: `after setting the residual to 0 ${REPLACED}`,
  ce_mean: `after setting the residual to the mean of the held-out rows ${REPLACED}`,
  ce_zero_all: 'after setting the residual to 0 at every position, BOS included',
};

/** What does not depend on the SAE. */
export function ablationMetrics(sums: SpliceSums, bootstrap: Bootstrap): Metrics {
  const crossEntropy = (name: keyof typeof ABLATIONS, of: LossSums): Metric =>
    bootstrap.ratio(of.crossEntropy, sums.predicted, {
      unit: 'nats per token',
      definition: `next-token cross entropy ${ABLATIONS[name]}; ${PREDICTED}`,
    });
  return {
    ce_clean: crossEntropy('ce_clean', sums.clean),
    ce_zero: crossEntropy('ce_zero', sums.zero),
    ce_mean: crossEntropy('ce_mean', sums.mean),
    ce_zero_all: crossEntropy('ce_zero_all', sums.zeroAll),
    kl_zero: bootstrap.ratio(sums.zero.divergence, sums.compared, {
      unit: 'nats per token',
      definition: `KL(clean ‖ zero), the residual set to 0 ${REPLACED}; mean over stored positions`,
    }),
  };
}

export function viewMetrics(sums: SpliceSums, view: number, bootstrap: Bootstrap): Metrics {
  const { clean, zero, predicted, compared } = sums;
  const sae = sums.views[view];
  return {
    ce_sae: bootstrap.ratio(sae.crossEntropy, predicted, {
      unit: 'nats per token',
      definition: `next-token cross entropy with the residual replaced by its reconstruction ${REPLACED}; ${PREDICTED}`,
    }),
    ce_loss_score: bootstrap.of(
      (w) => {
        const ablated = dot(w, zero.crossEntropy);
        return (ablated - dot(w, sae.crossEntropy)) / (ablated - dot(w, clean.crossEntropy));
      },
      {
        n: total(predicted),
        unit: 'share',
        definition: '(ce_zero − ce_sae) / (ce_zero − ce_clean), the zeros standing where the reconstruction stands',
      },
    ),
    kl_sae: bootstrap.ratio(sae.divergence, compared, {
      unit: 'nats per token',
      definition: `KL(clean ‖ spliced), the residual replaced by its reconstruction ${REPLACED}; mean over stored positions`,
    }),
    kl_div_score: bootstrap.of(
      (w) => {
        const ablated = dot(w, zero.divergence);
        return (ablated - dot(w, sae.divergence)) / ablated;
      },
      { n: total(compared), unit: 'share', definition: '(kl_zero − kl_sae) / kl_zero' },
    ),
  };
}
