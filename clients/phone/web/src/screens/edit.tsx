import { useState } from 'preact/hooks'
import type { Contact, Stage } from '../device'
import { t } from '../i18n'
import { go } from '../route'
import { ask, say } from '../state'
import { Segments, Sheet } from '../ui/bits'
import { HeatPick, heatOf, otherTags } from '../ui/heat'
import { Icon } from '../ui/icon'
import { reachedBy } from './step'

type Consent = '' | 'given' | 'opted-out'

/** Edit corrects what the book has of somebody: only what was changed is written, so what another device writes of them stays. */
export default function Edit({ now, onClose }: { now: Contact; onClose: () => void }) {
  const [c] = useState(now) // as it was when this was opened: what comes in meanwhile was not changed here
  const [name, setName] = useState(c.name ?? '')
  const [stage, setStage] = useState<Stage>(c.stage)
  const [heat, setHeat] = useState(heatOf(c.tags))
  const [consent, setConsent] = useState<Consent>(c.consent ?? '')
  const [note, setNote] = useState(c.note ?? '')
  const [company, setCompany] = useState(c.company ?? '')
  const [birthday, setBirthday] = useState(c.birthday ?? '')
  const [off, setOff] = useState<string[]>([]) // fields that go
  const [more, setMore] = useState('')
  const [tag, setTag] = useState('')
  const [wrong, setWrong] = useState<'' | 'reach.wrong' | 'edit.someone'>('')
  const [removing, setRemoving] = useState(false)

  /** changes are the fields to write, and what brings back what they were; null: what was added is neither a number nor an address. */
  const changes = (): [fields: Record<string, string>, before: Record<string, string>] | null => {
    const fields: Record<string, string> = {}
    const before: Record<string, string> = {}
    const put = (field: string, to: string, was: string) => { if (to !== was) { fields[field] = to; before[field] = was } }
    put('name', name.trim(), c.name ?? '')
    put('note', note.trim(), c.note ?? '')
    put('company', company.trim(), c.company ?? '')
    put('birthday', birthday, c.birthday ?? '')
    put('consent', consent, c.consent ?? '')
    put('stage', stage, c.stage)
    for (const h of ['hot', 'later'] as const) put(`tag/${h}`, heat === h ? 'yes' : '', heatOf(c.tags) === h ? 'yes' : '')
    for (const [field, label] of ways) if (off.includes(field)) put(field, '-', label)
    for (const word of c.tags) if (off.includes(`tag/${word}`)) put(`tag/${word}`, '', 'yes')
    if (tag.trim() && !c.tags.includes(tag.trim())) put(`tag/${tag.trim()}`, 'yes', '')
    const it = more.trim()
    if (it) {
      const field = reachedBy(it)
      if (!field) return null
      if (!ways.some(([w]) => w === field)) put(field, field.startsWith('phone') ? 'mobile' : '', '-')
    }
    return [fields, before]
  }
  const ways: [field: string, label: string][] = [...c.phones.map(([p, l]) => [`phone/${p}`, l] as [string, string]), ...c.emails.map(([p, l]) => [`email/${p}`, l] as [string, string])]
  const words = otherTags(c.tags)
  const toggle = (field: string) => setOff(off.includes(field) ? off.filter(f => f !== field) : [...off, field])

  const save = async (e: Event & { currentTarget: HTMLFormElement }) => {
    e.preventDefault()
    const sheet = e.currentTarget.closest('dialog')!
    const all = changes()
    if (!all) { setWrong('reach.wrong'); return }
    const [fields, before] = all
    if (!name.trim() && !more.trim() && ways.every(([w]) => off.includes(w))) { setWrong('edit.someone'); return }
    if (Object.keys(fields).length > 0) {
      if (!await ask('edit', { id: c.id, fields })) return // it says why, and what was typed is still here
      say(t('edit.saved', { name: name.trim() || c.display }), () => void ask('edit', { id: c.id, fields: before }))
    }
    sheet.close()
  }
  const remove = async () => {
    go('people') // first: this page has nobody to show then
    if (await ask('edit', { id: c.id, fields: { deleted: 'yes' } })) say(t('edit.removed', { name: c.display }), () => void ask('edit', { id: c.id, fields: { deleted: '' } }))
  }

  if (removing) {
    return (
      <Sheet title={t('edit.remove.title', { name: c.display })} onClose={onClose} key="remove">
        <p>{t('edit.remove.what')}</p>
        <button class="button wide danger" onClick={() => void remove()}>{t('edit.remove.yes')}</button>
        <button class="button quiet wide" onClick={e => e.currentTarget.closest('dialog')!.close()}>{t('edit.keep')}</button>
      </Sheet>
    )
  }
  return (
    <Sheet title={t('edit.title')} onClose={onClose} key="edit">
      <form class="stack edit" onSubmit={e => void save(e)}>
        <label class="field"><span>{t('add.name')}</span><input value={name} onInput={e => setName(e.currentTarget.value)} autocomplete="off" autocapitalize="words" /></label>
        <Segments label={t('edit.stage')} value={stage} onPick={setStage} all={(['prospect', 'customer', 'promoter'] as const).map(value => ({ value, label: t(`stage.${value}`) }))} />
        <HeatPick value={heat} onPick={setHeat} />
        <fieldset><legend>{t('edit.consent')}</legend>
          <Segments label={t('edit.consent')} value={consent} onPick={setConsent} all={[{ value: 'given', label: t('edit.yes') }, { value: '', label: t('edit.unasked') }, { value: 'opted-out', label: t('edit.no') }]} />
          {consent === 'opted-out' && <p class="soft small">{t('edit.no.hint')}</p>}
        </fieldset>
        {ways.length > 0 && <ul class="card list">{ways.map(([field]) => <Kept key={field} field={field} off={off.includes(field)} onToggle={() => toggle(field)} />)}</ul>}
        <label class="field"><span>{t('edit.more')}</span>
          <input value={more} placeholder="+34 600 000 000" autocomplete="off" autocapitalize="off" aria-invalid={wrong !== ''} aria-describedby={wrong ? 'edit-wrong' : undefined} onInput={e => { setMore(e.currentTarget.value); setWrong('') }} /></label>
        {wrong && <p id="edit-wrong" class="small wrong" role="alert">{t(wrong)}</p>}
        <label class="field"><span>{t('add.note')}</span><textarea value={note} onInput={e => setNote(e.currentTarget.value)} /></label>
        {words.length > 0 && <ul class="card list">{words.map(word => <Kept key={word} field={`tag/${word}`} off={off.includes(`tag/${word}`)} onToggle={() => toggle(`tag/${word}`)} />)}</ul>}
        <label class="field"><span>{t('edit.tag')}</span><input value={tag} onInput={e => setTag(e.currentTarget.value)} autocomplete="off" /></label>
        <label class="field"><span>{t('edit.company')}</span><input value={company} onInput={e => setCompany(e.currentTarget.value)} autocomplete="off" /></label>
        {!birthday.startsWith('--') && <label class="field"><span>{t('edit.birthday')}</span><input type="date" value={birthday} onInput={e => setBirthday(e.currentTarget.value)} /></label>}
        <button type="button" class="line-link danger" onClick={() => setRemoving(true)}><Icon name="no" /><span>{t('edit.remove')}</span></button>
        <button class="button main wide">{t('app.save')}</button>
      </form>
    </Sheet>
  )
}

/** Kept is a number, an address or a tag, with a way to take it off, and back on. */
function Kept({ field, off, onToggle }: { field: string; off: boolean; onToggle: () => void }) {
  const value = field.slice(field.indexOf('/') + 1)
  return (
    <li class={off ? 'off' : ''}><Icon name={field.startsWith('phone') ? 'call' : field.startsWith('email') ? 'email' : 'flag'} /><span>{value}</span>
      <button type="button" class="round" aria-label={t(off ? 'edit.back' : 'edit.off', { what: value })} onClick={onToggle}><Icon name={off ? 'plus' : 'close'} /></button></li>
  )
}
