import { useState } from 'preact/hooks'
import { number, t } from '../i18n'
import { recall, remember } from '../keep'
import { ask } from '../state'
import { Icon } from '../ui/icon'

interface Came { newContacts: number; sameContacts: number; newOrders: number; sameOrders: number; unknown: number; problems: string[] }

/** Import brings an address book or an export of orders in. The same file twice changes nothing. */
export function Import() {
  const [code, setCode] = useState(() => recall('code'))
  const [busy, setBusy] = useState(false)
  const [came, setCame] = useState<Came | null>(null)
  const bring = async (input: HTMLInputElement) => {
    const file = input.files?.[0]
    if (!file) return
    setBusy(true)
    setCame(null)
    remember('code', code)
    const got = await ask<Came>('import', { name: file.name, code: code.trim(), file: new Uint8Array(await file.arrayBuffer()) })
    input.value = '' // the same file may be chosen again
    setBusy(false)
    if (got) setCame(got)
  }
  return (
    <div class="stack">
      <p class="soft">{t('import.lead')}</p>
      <label class="field"><span>{t('import.code')}</span><input type="tel" value={code} placeholder="+34" onInput={e => setCode(e.currentTarget.value)} /></label>
      <label class={`button main wide pick-file ${busy ? 'busy' : ''}`}><Icon name="file" />{t(busy ? 'import.wait' : 'import.pick')}
        <input class="hide" type="file" accept=".vcf,.csv,.txt,text/vcard,text/csv" disabled={busy} onChange={e => void bring(e.currentTarget)} />
      </label>
      <div role="status">{came && (
        <section class="card state"><Icon name="check" /><h2>{t('import.done')}</h2>
          <p class="soft">{t('import.people', { n: came.newContacts, same: number(came.sameContacts) })}</p>
          {came.newOrders + came.sameOrders > 0 && <p class="soft">{t('import.orders', { n: came.newOrders, same: number(came.sameOrders) })}</p>}
        </section>
      )}</div>
      {came && came.problems.length > 0 && <section><h2 class="part">{t('import.problems')}</h2><ul class="card list">{came.problems.map((p, i) => <li key={i}><span class="small">{p}</span></li>)}</ul></section>}
    </div>
  )
}
