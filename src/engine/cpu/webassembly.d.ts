/** The part of the WebAssembly API that is used here; TypeScript declares it only together with the whole DOM. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: { env: { memory: Memory } });
    readonly exports: Record<string, unknown>;
  }
  class Memory {
    readonly buffer: ArrayBuffer;
    constructor(limits: { initial: number; maximum: number; shared?: boolean });
    /** @returns the size before, in pages */
    grow(pages: number): number;
  }
  function instantiate(module: Module, imports: { env: { memory: Memory } }): Promise<Instance>;
}
