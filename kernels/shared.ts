/** Entry of the module that all workers share: every kernel of the command queue. */
export * from './codes';
export * from './sparse';
export * from './experts';
export * from './elementwise';
export * from './optimizer';
export * from './standardize';
export * from './gate';
export * from './routing';
