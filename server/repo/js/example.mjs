// Reads and writes a member's book with npm's automerge-repo: node example.mjs http://server:8787 DEVICE-TOKEN
import process from "node:process"
import { ImmutableString } from "@automerge/automerge"
import { Repo } from "@automerge/automerge-repo"
import { WebSocketClientAdapter } from "@automerge/automerge-repo-network-websocket"

const [server, token] = process.argv.slice(2)
const { documents } = await (await fetch(`${server}/v1/documents?token=${token}`)).json()
const url = Object.fromEntries(documents.map((d) => [d.name, d.url]))

const socket = new WebSocketClientAdapter(`${server.replace("http", "ws")}/v1/repo?token=${token}`)
const repo = new Repo({ network: [socket] }) // with a storage adapter it works offline, too

const contacts = await repo.find(url.contacts)
for (const [key, value] of Object.entries(contacts.doc())) {
  if (key.endsWith("/name")) console.log(key.slice(0, 36), String(value))
}

// Text is an ImmutableString: a plain string would become a Text object, which Trio's devices carry and do not show.
const someone = Object.keys(contacts.doc()).find((key) => key.endsWith("/name")).slice(0, 36)
contacts.change((doc) => {
  doc[`${someone}/note`] = new ImmutableString("likes the green one")
})

// A log entry is written once, under a UUID of its own, as JSON in the order of crdt.Entry's fields without what is empty.
const now = Date.now()
const log = await repo.find(url[`log-${new Date(now).toISOString().slice(0, 7)}`])
log.change((doc) => {
  doc[crypto.randomUUID()] = new ImmutableString(JSON.stringify({ v: 1, kind: "call", at: now, evidence: "E0", contact: someone }))
})

// What the server refuses stays here, and is told like this.
for (const handle of [contacts, log]) {
  handle.on("ephemeral-message", ({ message }) => {
    if (message.type === "trio-refused") console.error("refused:", message.changes)
  })
}

// Done once the server has what we have.
const level = (handle) => {
  const known = handle.getSyncInfo(repo.getStorageIdOfPeer(repo.peers[0]))?.lastHeads
  return known && known.join() === handle.heads().join()
}
for (let i = 0; i < 100 && !(level(contacts) && level(log)); i++) await new Promise((done) => setTimeout(done, 50))
console.log(level(contacts) && level(log) ? "saved" : "not saved")
process.exit()
