import { useState } from 'preact/hooks'
import { number, t } from '../i18n'
import { recall, remember } from '../keep'
import { ask, trouble } from '../state'
import { DeviceError } from '../device'
import { cards } from '../file'
import { told } from '../known'
import { problem } from '../problems'
import { Icon } from '../ui/icon'

interface Changes { new: number; same: number; waiting: number; aside: number; at: number }
interface Came { changes?: Changes; newContacts: number; sameContacts: number; newOrders: number; sameOrders: number; unknown: number; problems: string[] }
/** Picker is the address book's own, where the browser has one. */
interface Picker { select(what: string[], how: { multiple: boolean }): Promise<{ name?: string[]; tel?: string[]; email?: string[] }[]> }
const picker = (navigator as { contacts?: Picker }).contacts

const most = 16 << 20 // bytes: the core takes no more
const readable = 256 << 20 // bytes: of a larger file the browser could make no copy on a small phone
const bulk = /^([\w-]+\.)?(PHOTO|LOGO|SOUND|KEY)[;:]/i

/** plain leaves out of a file of cards that is too big what nobody reads of it: an address book with photos fits then. Each line that
 * goes stays as an empty one, so that lines count as in the file. What is no such file is returned as it is. */
function plain(file: Uint8Array): Uint8Array {
  const head = (at: number, end: number) => String.fromCharCode(...file.subarray(at, Math.min(end, at + 40)))
  if (file.length <= most || !/BEGIN:VCARD/i.test(head(0, 40))) return file
  const out = new Uint8Array(file.length)
  let n = 0
  let leaving = false
  for (let at = 0; at < file.length;) {
    const line = file.indexOf(10, at)
    const end = line < 0 ? file.length : line + 1
    leaving = (leaving && (file[at] === 32 || file[at] === 9)) || (end - at > 5 && bulk.test(head(at, end))) // a line that begins with a space goes on with the one before
    const from = leaving ? end - 1 : at
    out.set(file.subarray(from, end), n)
    n += end - from
    at = end
  }
  return out.slice(0, n)
}

/** Import brings an address book or an export of orders in. The same file twice changes nothing. */
export default function Import() {
  const [code, setCode] = useState(() => recall('code'))
  const [busy, setBusy] = useState(false)
  const [came, setCame] = useState<Came | null>(null)
  const choose = async () => {
    const people = await picker!.select(['name', 'tel', 'email'], { multiple: true }).catch(() => [])
    if (people.length) await take('people.vcf', new TextEncoder().encode(cards(people)))
  }
  const bring = async (input: HTMLInputElement) => {
    const file = input.files?.[0]
    if (!file) return
    setBusy(true)
    try {
      if (file.size > readable) throw new DeviceError('err.big', 'err.big.hint')
      await take(file.name, plain(new Uint8Array(await file.arrayBuffer())))
    } catch (e) { trouble.value = told(e) } // it may lie in a cloud that is not reached
    setBusy(false)
    input.value = '' // the same file may be chosen again
  }
  const take = async (name: string, file: Uint8Array) => {
    setBusy(true)
    setCame(null)
    remember('code', code)
    const got = await ask<Came>('import', { name, code: code.trim(), file })
    setBusy(false)
    if (got) setCame(got)
  }
  return (
    <div class="stack">
      <p class="soft">{t('import.lead')}</p>
      <label class="field"><span>{t('import.code')}</span><input type="tel" value={code} placeholder="+34" onInput={e => setCode(e.currentTarget.value)} /></label>
      <label class={`button main wide pick-file ${busy ? 'busy' : ''}`}><Icon name="file" />{t(busy ? 'import.wait' : 'import.pick')}
        <input class="hide" type="file" accept=".vcf,.csv,.txt,.trio,text/vcard,text/csv,application/octet-stream" disabled={busy} onChange={e => void bring(e.currentTarget)} />
      </label>
      {picker && <button class="button wide" disabled={busy} onClick={() => void choose()}><Icon name="people" />{t('import.choose')}</button>}
      <div role="status">{came?.changes && (
        <section class="card state"><Icon name="check" /><h2>{t('import.done')}</h2>
          <p class="soft">{t('import.changes', { n: came.changes.new, same: number(came.changes.same) })}</p>
          {came.changes.waiting > 0 && <p class="soft">{t('import.waiting', { n: came.changes.waiting })}</p>}
          {came.changes.aside > 0 && <p class="soft">{t('import.aside', { n: came.changes.aside })}</p>}
        </section>
      )}{came && !came.changes && (
        <section class="card state"><Icon name="check" /><h2>{t('import.done')}</h2>
          <p class="soft">{t('import.people', { n: came.newContacts, same: number(came.sameContacts) })}</p>
          {came.newOrders + came.sameOrders > 0 && <p class="soft">{t('import.orders', { n: came.newOrders, same: number(came.sameOrders) })}</p>}
        </section>
      )}</div>
      {came && (came.problems?.length ?? 0) > 0 && <section><h2 class="part">{t('import.problems')}</h2><ul class="card list">{came.problems.map((p, i) => <li key={i}><span class="small">{problem(p)}</span></li>)}</ul></section>}
    </div>
  )
}
