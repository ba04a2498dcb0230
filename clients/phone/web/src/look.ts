// What a phone asks the server for beside syncing: boards, recognition, and how the own team stands. What came is kept on the
// phone and shown as last known.
type Call = (key: string, method: string, json: string) => Promise<string>

const kinds = ['boards', 'team'] as const
const most = 180_000 // bytes that are kept

/** looker returns a function that asks, unless it was asked less than so long ago (ms) or there is no network. */
export function looker(call: Call, token: string, changed: () => void) {
  let last = -Infinity
  let busy = false
  return async (least: number) => {
    if (busy || !navigator.onLine || performance.now() - last < least) return
    busy = true
    last = performance.now()
    try {
      let came = false
      for (const kind of kinds) came = await one(call, token, kind) || came
      if (came) changed()
    } catch {
      // no network, or nothing that could be kept: what there is stays, with its time
    } finally {
      busy = false
    }
  }
}

async function one(call: Call, token: string, kind: string): Promise<boolean> {
  const { tag } = JSON.parse(await call('', kind, '{}')) as { tag?: string }
  const headers: Record<string, string> = { Authorization: `Bearer ${token}` }
  if (tag) headers['If-None-Match'] = tag
  const res = await fetch(`/v1/${kind}`, { headers, cache: 'no-store' })
  if (res.status === 304 && tag) {
    await call(crypto.randomUUID(), 'keepBoards', JSON.stringify({ key: kind, tag }))
    return true
  }
  const name = res.headers.get('ETag')
  if (!res.ok || !name) return false
  const body = await res.text()
  if (body.length > most) return false
  await call(crypto.randomUUID(), 'keepBoards', `{"key":${JSON.stringify(kind)},"tag":${JSON.stringify(name)},"body":${body}}`)
  return true
}
