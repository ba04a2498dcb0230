// What pages, their workers and the worker that leads say to each other.

/** PROTOCOL rises when builds must not answer each other any more: another form of messages, or of the stored data. Tabs of
 * one number work together, whichever build they are. */
export const PROTOCOL = 1

export interface Ask { id: string; method: string; args?: object; key?: string }
/** Kept is a file for the person to keep. */
export interface Kept { name: string; type: string; changes: number; data: Uint8Array<ArrayBuffer> }
export type Answer = { id: string; out: string | Kept } | { id: string; error: string; hint: string }
export interface Access { token: string; member: string; device: string }

/** Told is what a worker says to its page by itself. other: a tab of another build is open, older or newer than this one. */
export type Told = { changed: true } | { leads: true } | { other: 'older' | 'newer' }

/** Between is what is said on the channel of all tabs; v is the sender's PROTOCOL, none in the first builds. */
export type Between = { v?: number } & (
  | { changed: true }
  | { leads: true }
  | { from: string; ask: Ask }
  | { to: string; answer: Answer }
  | { here: true } // the answer to a tab of another build
)

/** tour is the name of a worker whose book is a sample in memory: it leads by itself, and nobody hears of it. */
export const tour = 'trio-tour'
