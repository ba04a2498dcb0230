// What pages, their workers and the worker that leads say to each other.

export interface Ask { id: string; method: string; args?: object; key?: string }
export type Answer = { id: string; out: string } | { id: string; error: string; hint: string }
export interface Access { token: string; member: string; device: string }

/** Between is what is said on the channel of all tabs. */
export type Between =
  | { changed: true }
  | { leads: true }
  | { from: string; ask: Ask }
  | { to: string; answer: Answer }
