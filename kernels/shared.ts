/** Entry of the module that all workers share: every kernel of the command queue. */
export * from './codes';
export * from './sparse';
export * from './experts';
export * from './elementwise';
export * from './optimizer';
export * from './standardize';
export * from './gated-magnitudes';
export * from './tiers';
export * from './pursuit';
export * from './layer-norm';
export * from './penalty';
export * from './jump';
export * from './batch-top';
export * from './gate';
export * from './family';
export * from './routing';
