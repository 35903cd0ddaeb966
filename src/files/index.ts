export {
  basename,
  dirname,
  join,
  lookUp,
  namesIn,
  type OpenFile,
  pathExists,
  pathOfUrl,
  resolve,
  withFile,
} from './disk.ts';
export { dropFolder, keepFile } from './disk.web.ts';
export {
  isAlive,
  isTemporary,
  makeFolder,
  removeFolder,
  sweepTemporaries,
  syncFile,
  temporaryBeside,
  type Write,
  writeFileAtomically,
  writeTextAtomically,
} from './durable.ts';
export { type WriteFolderOptions, writeFolder } from './folder.ts';
export type { JsonObject, JsonValue } from './json.ts';
export { describeJson, isJsonObject, parseJson } from './json.ts';
export { formatJson } from './json-write.ts';
export { checkManifest, filesWithin, hasManifest, Manifest, sealFolder, sha256Of } from './manifest.ts';
export { packaged, version } from './package.ts';
export { readBytes, readText, refusePointer } from './read.ts';
