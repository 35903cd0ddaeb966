export { type RunMemory, runMemory } from './activations.ts';
export { compile } from './compile.ts';
export type * from './engine.ts';
export type { Ledger, LedgerSnapshot } from './ledger.ts';
export { type EngineOptions, openEngine } from './open.ts';
export { overlap } from './overlap.ts';
export { type Provider, providers, tryProvider } from './providers.ts';
export { Sessions } from './sessions.ts';
export { openWebEngine, type WebEngineOptions } from './web/open.ts';
