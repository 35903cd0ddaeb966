import { WireWriter } from '../../onnx/index.ts';

/** A message of a TensorBoard event file. Field numbers below are those of event.proto, summary.proto and tensor.proto. */
export interface Event {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  /** `version` opens a file; `start` tells that what other files hold from this step on was undone. */
  readonly what:
    | { readonly kind: 'version' }
    | { readonly kind: 'start' }
    | { readonly kind: 'scalars'; readonly values: Readonly<Record<string, number>> }
    | { readonly kind: 'text'; readonly tag: string; readonly markdown: string };
}

const DT_STRING = 7;
const SESSION_START = 1;

/** The Event protobuf message. */
export function encodeEvent({ wallTime, step, what }: Event): Uint8Array {
  const event = new WireWriter();
  event.double(1, wallTime);
  event.int(2, step);
  if (what.kind === 'version') event.string(3, 'brain.Event:2');
  else if (what.kind === 'start') event.message(7, (log) => log.int(1, SESSION_START));
  else if (what.kind === 'scalars') event.message(5, (summary) => writeScalars(summary, what.values));
  else event.message(5, (summary) => writeText(summary, what.tag, what.markdown));
  return event.finish();
}

function writeScalars(summary: WireWriter, values: Readonly<Record<string, number>>): void {
  for (const [tag, value] of Object.entries(values)) {
    summary.message(1, (entry) => {
      entry.string(1, tag);
      entry.float(2, value);
    });
  }
}

/** A one-element tensor of strings that the text plugin shows as Markdown. */
function writeText(summary: WireWriter, tag: string, markdown: string): void {
  summary.message(1, (entry) => {
    entry.string(1, tag);
    entry.message(8, (tensor) => {
      tensor.int(1, DT_STRING);
      tensor.message(2, (shape) => shape.message(2, (dimension) => dimension.int(1, 1)));
      tensor.string(8, markdown);
    });
    entry.message(9, (metadata) => metadata.message(1, (plugin) => plugin.string(1, 'text')));
  });
}
