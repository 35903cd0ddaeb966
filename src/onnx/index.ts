export * from './proto/index.ts';
