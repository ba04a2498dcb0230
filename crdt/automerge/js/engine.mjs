// The official engine as a child process, for tests that hold ours against it. Requests come on stdin and answers go to
// stdout, one for one: four bytes of length (big-endian), then JSON. Bytes are base64. A request is {cmd, ...}; the answer
// is its result, or {error}, with crash: true when the engine panicked, after which this process is of no more use.
//
// Documents and peers are named by the numbers and strings of the caller. Values are [type, value, id]: numbers as decimal
// strings, since JSON would round them.
import { Buffer } from "node:buffer"
import { readFileSync, writeFileSync, writeSync } from "node:fs"
import process from "node:process"
import * as A from "@automerge/automerge"
// The same module instance that the package itself uses: documents as they are, without JavaScript objects made of them.
import wasm from "./node_modules/@automerge/automerge/dist/mjs/wasm_bindgen_output/nodejs/automerge_wasm.cjs"

const docs = new Map() // number -> wasm document
const peers = new Map() // name -> sync state
const samples = new Map() // name -> what a benchmark works on
let lastDoc = 0

const bytes = (s) => new Uint8Array(Buffer.from(s ?? "", "base64"))
const base64 = (b) => Buffer.from(b).toString("base64")
const list = (l) => (l ?? []).map(bytes)

function doc(r) {
  const d = docs.get(r.doc)
  if (!d) throw new Error(`no document ${r.doc}`)
  return d
}

function keep(d) {
  docs.set(++lastDoc, d)
  return { doc: lastDoc }
}

function peer(r) {
  const p = peers.get(r.peer)
  if (!p) throw new Error(`no peer ${r.peer}`)
  return p
}

function keepPeer(name, state) {
  peers.get(name)?.free()
  peers.set(name, state)
}

// A value as [type, value, id]; objects have no value.
function shown([type, value, id]) {
  switch (type) {
    case "map":
    case "list":
    case "text":
    case "table":
      return [type, "", value]
    case "timestamp":
      return [type, String(value instanceof Date ? value.getTime() : value), id]
    case "f64": {
      const b = Buffer.alloc(8)
      b.writeDoubleBE(value)
      return [type, b.readBigUInt64BE().toString(), id]
    }
    case "bytes":
      return [type, base64(value), id]
    case "str":
      return [type, base64(Buffer.from(value)), id]
    default:
      return [type, String(value), id]
  }
}

function scalar(type, v) {
  switch (type) {
    case "int":
    case "uint":
      return BigInt(v)
    case "counter":
    case "timestamp":
      return Number(v)
    case "f64": {
      const b = Buffer.alloc(8)
      b.writeBigUInt64BE(BigInt.asUintN(64, BigInt(v)))
      return b.readDoubleBE()
    }
    case "boolean":
      return v === "true"
    case "null":
      return null
    case "bytes":
      return bytes(v)
    case "str":
      return Buffer.from(v, "base64").toString()
  }
  throw new Error(`no scalar type ${type}`)
}

const empty = { map: {}, list: [], text: "" }

// resolve takes a path of keys and indexes to an object id.
function resolve(d, path) {
  let id = "_root"
  for (const p of path ?? []) {
    const v = d.getWithType(id, p)
    if (!v || !["map", "list", "text", "table"].includes(v[0])) throw new Error(`no object at ${JSON.stringify(path)}`)
    id = v[1]
  }
  return id
}

function edit(d, op) {
  const obj = resolve(d, op.path)
  switch (op.op) {
    case "put":
      return d.put(obj, op.key ?? op.index, scalar(op.type, op.value), op.type)
    case "make":
      return d.putObject(obj, op.key ?? op.index, empty[op.type])
    case "insert":
      return d.insert(obj, op.index, scalar(op.type, op.value), op.type)
    case "insertMake":
      return d.insertObject(obj, op.index, empty[op.type])
    case "delete":
      return d.delete(obj, op.key ?? op.index)
    case "increment":
      return d.increment(obj, op.key ?? op.index, Number(op.value))
    case "splice":
      return d.splice(obj, op.index, op.del, op.text)
    case "mark":
      return d.mark(obj, { start: op.index, end: op.end, expand: op.expand }, op.key, scalar(op.type, op.value), op.type)
    case "unmark":
      return d.unmark(obj, { start: op.index, end: op.end, expand: op.expand }, op.key)
  }
  throw new Error(`no operation ${op.op}`)
}

// tree shows all that can be read of an object, every conflict of it too.
function tree(d, type, id) {
  const value = (v) => {
    const s = shown(v)
    return s[2] && ["map", "list", "text", "table"].includes(s[0]) ? [s[0], s[2], tree(d, s[0], s[2])] : s
  }
  switch (type) {
    case "text":
      return { text: d.text(id), marks: d.marks(id), spans: d.spans(id) }
    case "list":
      return Array.from({ length: d.length(id) }, (_, i) => d.getAll(id, i).map(value))
    default:
      return d.keys(id).map((k) => [k, d.getAll(id, k).map(value)])
  }
}

// timed runs f n times and returns the nanoseconds of each turn; after is not counted.
function timed(n, f, after) {
  const turns = []
  for (let i = 0; i < n; i++) {
    const start = process.hrtime.bigint()
    const v = f(i)
    turns.push(Number(process.hrtime.bigint() - start))
    after?.(v)
  }
  return { turns }
}

const loadAll = (s) => A.applyChanges(A.init(), s.changes)[0]

const benches = {
  // From the bytes of all changes to values that can be read.
  apply: (s, n) => timed(n, () => readable(loadAll(s), s), A.free),
  load: (s, n) => timed(n, () => readable(A.load(s.saved), s), A.free),
  save(s, n) {
    const d = loadAll(s)
    let size = 0
    const t = timed(n, () => (size = A.save(d).length))
    A.free(d)
    return { ...t, size }
  },
  // One put into a loaded document, committed, and the bytes of the change.
  edit(s, n) {
    let d = A.load(s.saved)
    let size = 0
    const t = timed(n, (i) => {
      d = A.change(d, (d) => {
        d[`edit/${i}`] = new A.ImmutableString("an edit")
      })
      size = A.getLastLocalChange(d).length
    })
    A.free(d)
    return { ...t, size }
  },
  // Resident bytes: what loading a first document adds at its highest (Linux only), and what n that are kept cost each.
  memory(s, n) {
    const rss = () => {
      globalThis.gc()
      return process.memoryUsage().rss
    }
    const linux = process.platform === "linux"
    const before = rss()
    // Writing 5 sets the high-water mark back to what is resident now.
    if (linux) writeFileSync("/proc/self/clear_refs", "5")
    const held = [readable(A.load(s.saved), s)]
    const peak = linux ? readFileSync("/proc/self/status", "utf8").match(/VmHWM:\s*(\d+)/)[1] * 1024 - before : 0
    while (held.length < n) held.push(readable(A.load(s.saved), s))
    const size = Math.round((rss() - before) / n)
    held.forEach(A.free)
    return { size, peak }
  },
}

function readable(d, s) {
  if (d[s.key] === undefined) throw new Error(`no value for ${s.key}`)
  return d
}

const commands = {
  version: () => ({ version: A.releaseInfo().wasm?.cargoPackageVersion ?? "" }),
  new: (r) => keep(wasm.create({ actor: r.actor })),
  load: (r) => keep(wasm.load(bytes(r.bytes), { actor: r.actor, unchecked: false })),
  free(r) {
    doc(r).free()
    docs.delete(r.doc)
    return {}
  },
  apply(r) {
    doc(r).applyChanges(list(r.changes))
    return {}
  },
  loadIncremental(r) {
    doc(r).loadIncremental(bytes(r.bytes))
    return {}
  },
  save: (r) => ({ bytes: base64(doc(r).save()) }),
  heads: (r) => ({ heads: doc(r).getHeads().sort() }),
  missing: (r) => ({ heads: doc(r).getMissingDeps(r.heads ?? []).sort() }),
  changes: (r) => ({ changes: doc(r).getChanges(r.heads ?? []).map(base64) }),
  // All values of all keys of the root map; the last of a key's wins.
  dump(r) {
    const d = doc(r)
    return { keys: d.keys("_root").map((k) => ({ key: k, values: d.getAll("_root", k).map(shown) })) }
  },
  // What users of the package get: for each key the ids that getConflicts names, or none where there is no conflict.
  conflicts(r) {
    const d = A.load(doc(r).save())
    const keys = Object.keys(d).map((k) => ({ key: k, ids: Object.keys(A.getConflicts(d, k) ?? {}) }))
    A.free(d)
    return { keys }
  },
  tree: (r) => ({ text: JSON.stringify(tree(doc(r), "map", "_root"), (_, v) => (typeof v === "bigint" ? `${v}n` : v)) }),
  edit(r) {
    const d = doc(r)
    for (const op of r.ops ?? []) edit(d, op)
    return { hash: d.commit(r.message || null, r.time ?? 0) ?? "" }
  },
  emptyChange: (r) => ({ hash: doc(r).emptyChange(r.message || null, r.time ?? 0) }),
  syncInit(r) {
    keepPeer(r.peer, wasm.initSyncState())
    return {}
  },
  // bytes is absent when there is nothing to send.
  syncGenerate(r) {
    const m = doc(r).generateSyncMessage(peer(r))
    return m ? { bytes: base64(m) } : {}
  },
  syncReceive(r) {
    doc(r).receiveSyncMessage(peer(r), bytes(r.bytes))
    return {}
  },
  encodeSyncState: (r) => ({ bytes: base64(wasm.encodeSyncState(peer(r))) }),
  decodeSyncState(r) {
    keepPeer(r.peer, wasm.decodeSyncState(bytes(r.bytes)))
    return {}
  },
  decodeSyncMessage(r) {
    const m = wasm.decodeSyncMessage(bytes(r.bytes))
    return {
      heads: m.heads,
      need: m.need,
      have: m.have.map((h) => ({ lastSync: h.lastSync, bloom: base64(h.bloom) })),
      changes: m.changes.map(base64),
    }
  },
  encodeSyncMessage: (r) => ({
    bytes: base64(
      wasm.encodeSyncMessage({
        heads: r.heads ?? [],
        need: r.need ?? [],
        have: (r.have ?? []).map((h) => ({ lastSync: h.lastSync ?? [], bloom: bytes(h.bloom) })),
        changes: list(r.changes),
      }),
    ),
  }),
  // A sample stays for the benchmarks that name it.
  sample(r) {
    samples.set(r.name, { changes: list(r.changes), saved: bytes(r.bytes), key: r.key })
    return {}
  },
  bench: (r) => benches[r.what](samples.get(r.name), r.n),
}

function writeAll(b) {
  for (let at = 0; at < b.length; ) {
    try {
      at += writeSync(1, b, at)
    } catch (e) {
      if (e.code !== "EAGAIN") throw e
    }
  }
}

function answer(request) {
  try {
    const f = commands[request.cmd]
    if (!f) throw new Error(`no command ${request.cmd}`)
    return f(request)
  } catch (e) {
    return { error: String(e?.message ?? e), crash: e instanceof WebAssembly.RuntimeError }
  }
}

// Ends with stdin, when whoever started us is gone.
let parts = []
let have = 0
let want = 4
let body = false
for await (const part of process.stdin) {
  parts.push(part)
  have += part.length
  while (have >= want) {
    const all = Buffer.concat(parts)
    const frame = all.subarray(0, want)
    parts = [all.subarray(want)]
    have -= want
    if (body) {
      const b = Buffer.from(JSON.stringify(answer(JSON.parse(frame.toString()))))
      const head = Buffer.alloc(4)
      head.writeUInt32BE(b.length)
      writeAll(Buffer.concat([head, b]))
      want = 4
    } else {
      want = frame.readUInt32BE()
    }
    body = !body
  }
}
