import { type Device, DeviceError } from './device'
import type { Answer, Ask, Told } from './protocol'

/** connect starts a worker of this tab's and returns the device behind it. heard is told what the worker says by itself. */
export function connect(name = 'trio', heard: (told: Told) => void = () => {}): Device {
  // Without TLS a browser has nothing of what the device is made of.
  let dead = isSecureContext ? null : new DeviceError('err.private', 'err.private.hint')
  const worker = dead ? null : new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name })
  const open = new Map<string, { resolve: (v: never) => void; reject: (e: Error) => void }>()
  const watchers = new Set<() => void>()
  if (worker) worker.onmessage = ({ data }: MessageEvent<Answer | Told>) => {
    if (!('id' in data)) {
      if ('changed' in data) for (const f of watchers) f()
      heard(data)
      return
    }
    const it = open.get(data.id)
    open.delete(data.id)
    if ('out' in data) it?.resolve((typeof data.out === 'string' ? JSON.parse(data.out) : data.out) as never)
    else it?.reject(new DeviceError(data.error, data.hint))
  }
  if (worker) worker.onerror = e => {
    dead = new DeviceError(e.message || 'the app could not start')
    for (const it of open.values()) it.reject(dead)
    open.clear()
  }
  const send = (ask: Ask) => worker?.postMessage(ask)
  const wake = () => { if (document.visibilityState === 'visible') send({ id: '', method: 'wake' }) }
  addEventListener('online', wake)
  document.addEventListener('visibilitychange', wake)
  return {
    call: (method, args, key) => new Promise((resolve, reject) => {
      if (dead) { reject(dead); return }
      const id = crypto.randomUUID()
      open.set(id, { resolve, reject })
      send({ id, method, ...(args && { args }), ...(key && { key }) })
    }),
    changed: f => { watchers.add(f); return () => watchers.delete(f) },
    wake,
    close: () => {
      removeEventListener('online', wake)
      document.removeEventListener('visibilitychange', wake)
      worker?.terminate()
    },
  }
}
