// The browser is killed, all of its processes at once, while a page writes: what was acknowledged is there when it is opened again,
// offline, and reaches the member's other device. ROUNDS is how often. No power is cut here: what the system has, it keeps.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { atDesk, base, field, join, kill, must, play, profile, safe, serve, three, tmp } from './lib.mjs'

const rounds = Number(process.env.ROUNDS ?? 6)

/** processes are those of the browser that has a profile. */
const processes = name => readdirSync('/proc').filter(pid => {
  try { return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(path.join(tmp, name)) } catch { return false }
})

/** asking lets a test ask the page's worker as the page does. */
function asking() {
  const waiting = new Map()
  globalThis.Worker = class extends Worker {
    constructor(...args) {
      super(...args)
      this.addEventListener('message', ({ data }) => { waiting.get(data.id)?.(data); waiting.delete(data.id) })
      globalThis.ask = (method, args) => new Promise(done => {
        const id = crypto.randomUUID()
        waiting.set(id, done)
        this.postMessage({ id, method, args })
      })
    }
  }
}

async function opened() {
  const page = await profile('phone')
  await page.addInitScript(asking)
  return page
}

await play(async () => {
  const { member } = await field()
  let page = await opened()
  await join(page, member)
  await page.evaluate(() => navigator.serviceWorker.ready)
  await page.waitForFunction(async () => (await Promise.all((await caches.keys()).map(async n => (await (await caches.open(n)).keys()).length))).some(n => n > 5))
  await page.reload()
  await safe(page)
  await kill()
  const written = []
  let begun = 0
  for (let round = 0; round < rounds; round++) {
    const enough = 2 + round * 5 % 13
    let acks = 0
    const dead = new Promise(done => {
      void page.exposeFunction('acknowledged', name => {
        written.push(name)
        if (++acks < enough) return
        const all = processes('phone')
        for (const pid of all) try { process.kill(Number(pid), 'SIGKILL') } catch { /* gone with its parent */ }
        page.context().once('close', done)
      }).then(() => page.evaluate(async round => {
        for (let i = 0; ; i++) {
          const name = `Kill ${round} ${i}`
          const answer = await globalThis.ask('add', { fields: { name } })
          if ('error' in answer) throw new Error(answer.error)
          void globalThis.acknowledged(name)
        }
      }, round)).catch(e => { if (!/closed|crashed|destroyed/i.test(String(e))) throw e })
    })
    await dead
    begun += enough
    while (processes('phone').length > 0) await sleep(20)
    page = await opened()
    await page.context().setOffline(true)
    await page.goto(`${base}/app/`)
    await three(page).first().waitFor()
    const found = await page.evaluate(async () => JSON.parse((await globalThis.ask('contacts', { search: 'kill' })).out).map(c => c.name))
    const lost = written.filter(n => !found.includes(n))
    must(lost.length === 0, `killed after ${acks} acknowledged writes: all ${written.length} so far are there${lost.length ? `, but for ${lost}` : ''}`)
  }
  await serve()
  await page.context().setOffline(false)
  await safe(page)
  atDesk('sync')
  const there = atDesk('list', 'kill')
  must(written.every(n => there.includes(n)), `${written.length} acknowledged by a browser that was killed ${rounds} times: 0 lost, and all reached the other device`)
})
