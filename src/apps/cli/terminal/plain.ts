/** Whether the terminal says that it knows plain characters alone. */
export function isPlain(): boolean {
  return process.env.TERM === 'dumb';
}
