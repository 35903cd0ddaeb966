export {
  isTemporary,
  makeFolder,
  pathExists,
  removeFolder,
  sweepTemporaries,
  type Write,
  writeFileAtomically,
  writeTextAtomically,
} from './durable.ts';
export { type WriteFolderOptions, writeFolder } from './folder.ts';
export { checkManifest, Manifest } from './manifest.ts';
