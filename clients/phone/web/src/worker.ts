// The device of the phone: SQLite on the browser's own files and the core, which is the replica. One tab leads, by a lock of
// the browser's, and has both open; the others send it their calls by a channel. When the leading tab closes, the next one
// takes the lock, and calls without an answer are sent to it again: their keys make a repeat no second write. Tabs of builds
// that differ in PROTOCOL never answer each other: the page is told that there are such, and the calls wait.
import { bridge } from '../../../../replica/sql/bridge.mjs'
import '@goroot/wasm_exec.js'
import core from '../../../../bin/core.packed?url'
import sqliteWasm from '@sqlite.org/sqlite-wasm/sqlite3.wasm?url'
import type { Sqlite3Static } from '@sqlite.org/sqlite-wasm'
import { unpack } from '../../core/unpack.mjs'
import { looker } from './look'
import { type Access, type Answer, type Ask, type Between, type Kept, PROTOCOL, type Told, tour } from './protocol'

interface Core {
  open(config: { path: string; member: string; device: string; url: string; token: string }): Promise<void>
  importFile(name: string, code: string, file: Uint8Array): Promise<string>
  exportFile(what: string): Promise<Kept>
  call(key: string, method: string, json: string): Promise<string>
  close(): Promise<string>
  wake(): void
  onchange?: () => void
}
interface Go { env: Record<string, string>; importObject: WebAssembly.Imports; run(instance: WebAssembly.Instance): Promise<void>; _inst: { exports: { mem: WebAssembly.Memory } } }
declare const self: DedicatedWorkerGlobalScope & { Go: new () => Go; trioCore: Core; sqlite3ApiConfig: object }

performance.mark('worker')
// What takes longest begins before anything else. A tab that does not lead has it ready for when it does.
const compiled = compile(core), sqliteCompiled = compile(sqliteWasm), sqlite = import('@sqlite.org/sqlite-wasm')
compiled.then(() => performance.mark('compiled'), () => {}) // it is told to whoever asks
for (const part of [sqliteCompiled, sqlite]) part.catch(() => {})

const me = crypto.randomUUID()
const touring = self.name === tour
const channel = touring ? null : new BroadcastChannel('trio-replica')
const waiting = new Map<string, Ask>() // calls of this tab without an answer
let lead: ((ask: Ask) => Promise<Answer>) | null = null // set in the tab that leads

const answer = (a: Answer) => { if (waiting.delete(a.id)) self.postMessage(a) }
const tell = (told: Told) => self.postMessage(told)
const all = (m: Between) => channel?.postMessage({ ...m, v: PROTOCOL })
const changed = () => { tell({ changed: true }); all({ changed: true }) }

self.onmessage = ({ data }: MessageEvent<Ask>) => {
  if (data.method !== 'wake') waiting.set(data.id, data)
  if (lead) void lead(data).then(answer)
  else all({ from: me, ask: data })
}

if (channel) channel.onmessage = ({ data }: MessageEvent<Between>) => {
  const v = data.v ?? 0
  if (v !== PROTOCOL) {
    tell({ other: v < PROTOCOL ? 'older' : 'newer' })
    if (!('here' in data)) all({ here: true }) // it hears of us too, and neither takes the other's calls
  } else if ('changed' in data) tell({ changed: true })
  else if ('leads' in data) for (const ask of waiting.values()) all({ from: me, ask })
  else if ('ask' in data && lead) void lead(data.ask).then(a => all({ to: data.from, answer: a }))
  else if ('answer' in data && data.to === me) answer(data.answer)
}

async function leading() {
  performance.mark('lock')
  lead = await device().catch(() => refuse) // a private window has no files
  tell({ leads: true })
  for (const ask of waiting.values()) void lead(ask).then(answer)
  all({ leads: true })
  await new Promise(() => {}) // the lock is ours for as long as this tab lives
}

const refuse = (ask: Ask): Promise<Answer> => Promise.resolve({ id: ask.id, error: 'err.private', hint: 'err.private.hint' })

if (touring) void leading()
else if ('locks' in navigator && 'storage' in navigator) void navigator.locks.request('trio-replica', leading)
else lead = refuse // an old browser

/** device opens what there is and returns how calls are answered. It never throws: what went wrong is the answer of every call. */
async function device() {
  let ready = start() // what takes longest, before anybody asks
  ready.catch(() => {}) // it is told to whoever asks
  let joined: Promise<void> | null = null
  let look: (least: number) => Promise<void> = async () => {}
  const open = async (a: Access) => {
    const { core: c } = await ready
    c.onchange = changed
    const url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/v1/sync`
    await c.open({ path: '/replica.db', member: a.member, device: a.device, url, token: a.token })
    look = looker((key, method, json) => c.call(key, method, json), a.token, changed)
    performance.mark('open')
  }
  if (touring) joined = sample()
  const kept = touring ? null : await keep.read()
  if (kept) joined = open(kept)
  joined?.catch(() => {})
  /** sample opens a book in memory. It is nobody's, and no server ever hears of it. */
  async function sample() {
    const { core: c } = await ready
    c.onchange = changed
    await c.open({ path: ':memory:', member: crypto.randomUUID(), device: crypto.randomUUID(), url: '', token: '' })
  }
  /** stands is how far the device is with the server. */
  const stands = async (c: Core) => JSON.parse(await c.call('', 'sync', '{}')) as { state: string; unsent: number }
  const wipe = async () => {
    const { core: c, clear } = await ready
    await c.close()
    await clear()
  }
  /** again gives a phone whose access ended a new one: the same book goes on, and an emptied phone begins anew. */
  const again = async (a: Access) => {
    const { core: c } = await ready
    const { state } = await stands(c)
    const was = await keep.read()
    if (state !== 'left' && was && was.member !== a.member) {
      await release(a) // nobody is going to use it
      throw new Refusal('join.other', 'join.other.hint')
    }
    joined = (async () => { // calls that come meanwhile wait for it
      if (state === 'left') await wipe() // before, as the data may be another member's
      await keep.write(a)
      if (state !== 'left') await c.close()
      await open(a)
    })()
    await joined
  }
  const enter = async (by: { code: string; name: string }) => {
    await keep.reserve() // the code is good once, and there has to be room for what it gives
    const a = await join(by)
    if (joined) return await again(a)
    await keep.write(a) // the code is used up: before anything else
    await (joined = open(a))
  }
  const leave = async (): Promise<boolean> => {
    await joined?.catch(() => {})
    const { core: c } = await ready
    const a = await keep.read()
    const until = Date.now() + 8000
    const wait = async (f: (s: { state: string; unsent: number }) => boolean) => {
      for (c.wake(); Date.now() < until && !f(await stands(c)); ) await new Promise(done => setTimeout(done, 150))
    }
    const s = await stands(c).catch(() => ({ state: 'off', unsent: 0 }))
    if (s.state === 'connected') await wait(s => s.unsent === 0)
    const told = a !== null && s.state !== 'left' && await release(a)
    if (told) await wait(s => s.state === 'left').catch(() => {}) // it brings what nobody else has, and says that it is empty
    joined = null // calls that come meanwhile find nobody here
    await keep.remove()
    await wipe()
    changed()
    return told || s.state === 'left'
  }
  const call = async ({ id, key, method, args }: Ask): Promise<string | Kept> => {
    if (method === 'join') {
      ready = ready.catch(start)
      const a = joined && await joined.then(() => null, keep.read)
      if (a) await (joined = open(a)) // there was no room, and the code is used up
      else if (joined) {
        const at = await joined.then(async () => (await stands((await ready).core)).state)
        if (at !== 'ended' && at !== 'left') throw new Refusal('join.twice')
      }
      if (!a) await enter(args as { code: string; name: string })
      changed()
      return '{}'
    }
    if (method === 'leave') return JSON.stringify({ told: await leave() })
    if (!joined) {
      if (method === 'member') return '{"joined":false}'
      throw new Refusal('join.nobody', 'join.unknown.hint')
    }
    await joined
    if (method === 'push') return await push(args as Push)
    const { core: c } = await ready
    if (method === 'wake') { c.wake(); return '{}' }
    if (method === 'import') {
      const { name, code, file } = args as { name: string; code: string; file: Uint8Array }
      return await c.importFile(name, code, file)
    }
    if (method === 'export') return await c.exportFile((args as { what: string }).what)
    const out = await c.call(key ?? id, method, JSON.stringify(args ?? {}))
    if (method === 'boards' || method === 'team') void look(30_000)
    if (method === 'sync' && out.includes('"state":"level"')) void look(600_000)
    return method === 'member' ? `{"joined":true,${out.slice(1)}` : out
  }
  return (ask: Ask): Promise<Answer> => call(ask).then(
    out => ({ id: ask.id, out }),
    (e: unknown) => ({ id: ask.id, error: e instanceof Error && !(e instanceof DOMException) ? e.message : String(e), hint: e instanceof Refusal ? e.hint : '' }))
}

/** Refusal is an error in words of our own: keys of messages, or what the server says. */
class Refusal extends Error {
  constructor(message: string, readonly hint = '') { super(message) }
}

/** join makes this phone one of the member's devices. The code is used up by it. */
async function join({ code, name }: { code: string; name: string }): Promise<Access> {
  let res: Response
  try {
    res = await fetch('/v1/join', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ code, device: name }), signal: AbortSignal.timeout(30_000) })
  } catch {
    throw new Refusal('join.offline', 'join.offline.hint')
  }
  const body = await res.json().catch(() => ({})) as Partial<Access> & { error?: { message: string; hint: string } }
  const why = ({ 404: 'unknown', 409: 'quota', 410: 'expired', 429: 'slow' } as Record<number, string>)[res.status]
  if (why) throw new Refusal(`join.${why}`, `join.${why}.hint`)
  if (!res.ok || !body.token || !body.member || !body.device) {
    throw new Refusal(body.error?.message ?? `HTTP ${res.status}`, body.error?.hint ?? 'join.unknown.hint')
  }
  return { token: body.token, member: body.member, device: body.device }
}

/** release has the server take this device's access back, if it is reached: by that it is asked to leave in good order. */
async function release(a: Access): Promise<boolean> {
  try {
    const res = await fetch(`/v1/devices/${a.device}/revoke`, { method: 'POST', headers: { Authorization: `Bearer ${a.token}` }, signal: AbortSignal.timeout(5000) })
    return res.ok
  } catch {
    return false
  }
}

interface Push { method: 'GET' | 'PUT' | 'DELETE'; body?: object }

/** push asks the server about this device's notices; status 0 is no signal. */
async function push({ method, body }: Push): Promise<string> {
  const a = await keep.read()
  if (!a) return '{"status":0}'
  try {
    const res = await fetch('/v1/push', { method, headers: { Authorization: `Bearer ${a.token}` }, ...(body && { body: JSON.stringify(body) }) })
    const text = method === 'GET' && res.ok ? await res.text() : '{}'
    return `{"status":${res.status},"answer":${text}}`
  } catch {
    return '{"status":0}'
  }
}

/** keep is where the token lies: a file of this site's, beside the data. */
const keep = {
  name: 'trio-access.json',
  async read(): Promise<Access | null> {
    const dir = await navigator.storage.getDirectory()
    try {
      return JSON.parse(await (await (await dir.getFileHandle(keep.name)).getFile()).text()) as Access
    } catch {
      return null // none yet, or one that was cut off before anybody had used it
    }
  },
  async remove() {
    const dir = await navigator.storage.getDirectory()
    await dir.removeEntry(keep.name).catch(() => {}) // there was none
  },
  /** put has f write into the file. */
  async put(f: (file: FileSystemSyncAccessHandle) => void) {
    const dir = await navigator.storage.getDirectory()
    const file = await (await dir.getFileHandle(keep.name, { create: true })).createSyncAccessHandle()
    try {
      f(file)
      file.flush()
    } finally {
      file.close()
    }
  },
  /** reserve has the file be as long as it will have to be, whatever is in it; it throws where there is no room. */
  reserve: () => keep.put(file => { if (file.getSize() < 512) file.write(new Uint8Array(512).fill(32), { at: file.getSize() }) }),
  write: (a: Access) => keep.put(file => file.truncate(file.write(new TextEncoder().encode(JSON.stringify(a)), { at: 0 }))),
}

/** compile is the wasm of a file. The core is packed on its first way here, and as it is from the service worker ever after. */
async function compile(url: string): Promise<WebAssembly.Module> {
  const res = await fetch(url)
  if (!res.ok) throw new Error(`Failed to load the app: HTTP ${res.status}`)
  if (res.headers.get('Content-Type') === 'application/wasm') return await WebAssembly.compileStreaming(res)
  return await WebAssembly.compile(unpack(new Uint8Array(await res.arrayBuffer())))
}

/** pool is how the data's files are kept together. A failure is not for good: that is not in the library's types. */
const pool = { name: 'trio', initialCapacity: 6, preserveOnInitFailure: true /* else it deletes all there is */, forceReinitIfPreviouslyFailed: true }

/** files opens the data's files. The worker that led before has given the lock back a moment before it lets go of them, sometimes. */
async function files(sqlite3: Sqlite3Static) {
  for (let wait = 20; ; wait *= 2) {
    try {
      const p = await sqlite3.installOpfsSAHPoolVfs(pool)
      await p.reserveMinimumCapacity(pool.initialCapacity) // a start without room made fewer
      return p
    } catch (e) {
      if (wait > 2000 || !/NoModificationAllowed|InvalidState/.test(String((e as Error)?.name))) throw e
      await new Promise(done => setTimeout(done, wait))
    }
  }
}

async function start(): Promise<{ core: Core; clear: () => Promise<void> }> {
  self.sqlite3ApiConfig = { disable: { vfs: { opfs: true, 'opfs-wl': true } } } // they need what a page without COOP has not
  const init = (await sqlite).default as unknown as (given: object) => Promise<Sqlite3Static>
  const module = await sqliteCompiled
  const sqlite3 = await new Promise<Sqlite3Static>((done, failed) => {
    init({
      instantiateWasm(imports: WebAssembly.Imports, ready: (i: WebAssembly.Instance, m: WebAssembly.Module) => void) {
        WebAssembly.instantiate(module, imports).then(i => ready(i, module), failed)
      },
    }).then(done, failed)
  })
  performance.mark('sqlite')
  const opened = touring ? null : await files(sqlite3)
  performance.mark('pool')
  const go = new self.Go()
  go.env = { GOGC: '400' } // there is one thread, and nothing is left of what a start or a pull made: fewer collections
  go.importObject['trio'] = bridge(sqlite3, { memory: () => go._inst.exports.mem, vfs: opened?.vfsName ?? '' })
  void go.run(await WebAssembly.instantiate(await compiled, go.importObject))
  performance.mark('core')
  return { core: self.trioCore, clear: async () => { await opened?.wipeFiles() } }
}
