/**
 * What a person made of the results at scale `small`, by claim: second protocols, explanations that were tested. To be read again when
 * results change.
 */
export const READINGS = {};
