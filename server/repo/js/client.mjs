// Programs that speak automerge-repo's protocol, as a child process of the tests: unmodified npm packages. Requests come on
// stdin and answers go to stdout, one line of JSON each; a request is {id, cmd, ...}, its answer {id, ...} or {id, error}.
// Many may be under way at a time. Repos and storages are named by strings of the caller.
import process from "node:process"
import { createInterface } from "node:readline"
import * as A from "@automerge/automerge"
import { Repo, cbor, interpretAsDocumentId } from "@automerge/automerge-repo"
import { DummyStorageAdapter } from "@automerge/automerge-repo/helpers/DummyStorageAdapter.js"
import { WebSocketClientAdapter } from "@automerge/automerge-repo-network-websocket"

const repos = new Map() // name -> {repo, adapter, heard}
const storages = new Map()
const uncaught = [] // what would have ended a program that takes no care

process.on("uncaughtException", (e) => uncaught.push(String(e?.message ?? e)))

function named(r) {
  const x = repos.get(r.repo)
  if (!x) throw new Error(`no repo ${r.repo}`)
  return x
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms))

// Text of other programs of ours is an ImmutableString; what npm's own text is stays apart.
function shown(v) {
  if (v instanceof A.ImmutableString || v?.constructor?.name === "ImmutableString") return v.toString()
  return typeof v === "string" ? { text: v } : v
}

function dump(handle) {
  const doc = handle.doc()
  const values = {}
  for (const k of Object.keys(doc)) values[k] = shown(doc[k])
  return { values, heads: A.getHeads(doc).sort(), state: handle.state, changes: A.stats(doc).numChanges }
}

function edit(d, r) {
  for (const [k, v] of Object.entries(r.put ?? {})) d[k] = typeof v === "string" ? new A.ImmutableString(v) : v
  for (const k of r.del ?? []) delete d[k]
  for (const [k, v] of Object.entries(r.text ?? {})) d[k] = v // as who does not know better
}

// What both sides say of heads and changes on a connection, for a failure's text.
function spied(adapter) {
  const said = []
  const note = (who, m) => {
    if (m.type !== "sync" && m.type !== "request") return said.push(`${who} ${m.type} ${m.message ?? ""}`)
    const short = (list) => list.map((h) => h.slice(0, 8)).join(" ")
    const { heads, need, changes } = A.decodeSyncMessage(m.data)
    said.push(`${who} ${m.type}: heads ${short(heads)}; needs ${short(need)}; brings ${changes.length}: ${short(changes.slice(-3).map((c) => A.decodeChange(c).hash))}`)
  }
  const [take, give] = [adapter.receiveMessage.bind(adapter), adapter.send.bind(adapter)]
  adapter.receiveMessage = (b) => {
    note("server", cbor.decode(new Uint8Array(b)))
    take(b)
  }
  adapter.send = (m) => {
    note("page", m)
    give(m)
  }
  return said
}

// A busy machine may stand still for seconds: this is how long something is waited for that comes, in ms.
const patience = 60_000

// patient finds a document that is there; who is not connected within a second takes it to be unavailable. enough says that it is.
async function patient(r, enough = () => false) {
  for (let start = performance.now(); ; await pause(20)) {
    const connected = named(r).repo.peers.length > 0
    try {
      return await find(r)
    } catch (e) {
      if (performance.now() - start > patience || enough(connected)) throw e
    }
  }
}

async function find(r) {
  const x = named(r)
  const handle = await x.repo.find(r.url)
  if (!x.handles.has(r.url)) {
    x.handles.set(r.url, handle)
    handle.on("ephemeral-message", ({ senderId, message }) => x.heard.push({ sender: senderId, message }))
  }
  return handle
}

const holds = (doc, r) => {
  if (r.heads) {
    const h = A.getHeads(doc).sort()
    return h.length === r.heads.length && h.every((x, i) => x === r.heads[i])
  }
  if (r.count !== undefined) return Object.keys(doc).length >= r.count
  return Object.entries(r.values).every(([k, v]) => (v === null ? doc[k] === undefined : shown(doc[k]) === v))
}

const commands = {
  async repo(r) {
    const adapter = new WebSocketClientAdapter(r.server, r.retry ?? 100)
    let storage
    if (r.storage) {
      storage = storages.get(r.storage) ?? new DummyStorageAdapter()
      storages.set(r.storage, storage)
    }
    const x = { repo: new Repo({ network: [adapter], storage, peerId: r.peer }), adapter, heard: [], handles: new Map(), bytes: 0 }
    // What came in over the socket, without changing what the adapter does with it.
    const take = adapter.receiveMessage.bind(adapter)
    adapter.receiveMessage = (b) => {
      x.bytes += b.byteLength
      take(b)
    }
    repos.set(r.repo, x)
    return {}
  },
  async find(r) {
    const start = performance.now()
    try {
      const handle = await patient(r, (connected) => connected)
      return { ...dump(handle), ms: performance.now() - start, bytes: named(r).bytes }
    } catch (e) {
      return { state: "unavailable", why: String(e.message) }
    }
  },
  async change(r) {
    const handle = await patient(r)
    const at = Date.now()
    handle.change((d) => edit(d, r))
    return { heads: A.getHeads(handle.doc()).sort(), at }
  },
  // A document of a known id that nobody has written yet.
  async create(r) {
    const x = named(r)
    const made = A.change(A.init(), (d) => edit(d, r))
    const handle = x.repo.import(A.save(made), { docId: interpretAsDocumentId(r.url) })
    return { heads: A.getHeads(handle.doc()).sort(), state: handle.state }
  },
  // Waits until the document has values, heads, or so many keys; at is when it saw them, in ms since 1970.
  async wait(r) {
    const start = performance.now()
    for (;;) {
      let handle
      try {
        handle = await find(r)
      } catch {
        // not there yet
      }
      if (handle) {
        if (holds(handle.doc(), r)) return { ...dump(handle), at: Date.now(), ms: performance.now() - start }
        await Promise.race([new Promise((done) => handle.once("change", done)), pause(20)])
      } else {
        await pause(20)
      }
      if (performance.now() - start > (r.timeout ?? patience)) throw new Error(`not within time: ${JSON.stringify(r)}`)
    }
  },
  async broadcast(r) {
    ;(await find(r)).broadcast(r.message)
    return {}
  },
  async heard(r) {
    const x = named(r)
    for (let i = 0; i < patience / 20 && x.heard.length < r.count; i++) await pause(20)
    return { heard: x.heard }
  },
  async cut(r) {
    const { repo } = named(r)
    repo.networkSubsystem.disconnect()
    return {}
  },
  async join(r) {
    const { repo } = named(r)
    repo.networkSubsystem.reconnect()
    return {}
  },
  async close(r) {
    const { repo } = named(r)
    repos.delete(r.repo)
    await repo.flush()
    repo.networkSubsystem.disconnect()
    return {}
  },
  async peers(r) {
    const { repo } = named(r)
    for (let i = 0; i < (r.timeout ?? patience) / 10 && repo.peers.length !== r.count; i++) await pause(10)
    return { peers: repo.peers, storage: repo.peers.map((p) => repo.getStorageIdOfPeer(p)) }
  },
  // Pages that open a document, edit it, and are closed, one after the other.
  async reload(r) {
    for (let i = 0; i < r.count; i++) {
      const name = `${r.repo} page ${i}`
      // A busy machine must not take longer than this for a handshake, or each page is several connections of its device.
      await commands.repo({ ...r, retry: 2000, repo: name })
      const said = spied(named({ repo: name }).adapter)
      const { heads } = await commands.change({ ...r, repo: name, put: { [r.key]: `value ${i}` } })
      for (let n = 0; ; n++) {
        // The server's heads, as the sync protocol told them.
        const info = named({ repo: name }).repo.peers.map((p) => named({ repo: name }).repo.getStorageIdOfPeer(p))
        const known = info.length && (await find({ ...r, repo: name })).getSyncInfo(info[0])?.lastHeads
        if (known && JSON.stringify(known) === JSON.stringify((await find({ ...r, repo: name })).heads())) break
        if (n > patience / 5) throw new Error([`page ${i}: the server never said that it has ${heads}`, ...said].join("\n"))
        await pause(5)
      }
      await commands.close({ repo: name })
    }
    return {}
  },
  async uncaught() {
    return { uncaught }
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const r = JSON.parse(line)
  const run = async () => {
    if (!commands[r.cmd]) throw new Error(`no command ${r.cmd}`)
    return commands[r.cmd](r)
  }
  run()
    .catch((e) => ({ error: String(e?.stack ?? e) }))
    .then((a) => process.stdout.write(JSON.stringify({ ...a, id: r.id }) + "\n"))
}
process.exit(0)
