import { useState } from 'preact/hooks'
import type { Step } from '../device'
import { type Key, t } from '../i18n'
import { ask, habit, say, sync } from '../state'
import { calendar, keep, save, text } from '../file'
import { Icon, type IconName } from '../ui/icon'

async function steps(): Promise<void> {
  const all = await ask<Step[]>('steps', { limit: 500 })
  if (!all) return
  if (all.length === 0) { say(t('data.steps.none')); return }
  const events = all.map(s => ({ id: `${s.contact}-${s.date}`, date: s.date, summary: t(s.promised ? 'data.step.promised' : 'data.step.back', { name: s.name }), ...(s.phone && { description: s.phone }) }))
  if (await save(text(`trio-${habit.value?.date ?? 'steps'}.ics`, 'text/calendar', calendar(events)))) say(t('data.steps.saved', { n: all.length }))
}

/** Data is all that the member can take along: it is theirs. */
export default function Data() {
  const [busy, setBusy] = useState('')
  const only = sync.value?.unsent ?? 0
  const row = (what: string, icon: IconName, title: Key, hint: Key, f: () => Promise<unknown> = () => keep(what)) => (
    <li key={what}><button class="line-link file" disabled={busy !== ''} onClick={() => { setBusy(what); void f().finally(() => setBusy('')) }}>
      <Icon name={icon} /><span>{t(title)}<small class="soft">{t(busy === what ? 'data.wait' : hint)}</small></span>
    </button></li>
  )
  return (
    <>
      {only > 0 && <section class="card state"><Icon name="phone" /><h2>{t('sync.waits.long', { n: only })}</h2><p class="soft">{t('data.only.hint')}</p>
        <button class="button main wide" disabled={busy !== ''} onClick={() => { setBusy('unsent'); void keep('unsent').finally(() => setBusy('')) }}><Icon name="file" />{t('sync.export')}</button></section>}
      <section><h2 class="part">{t('data.read')}</h2>
        <ul class="card list">
          {row('people.vcf', 'people', 'data.vcf', 'data.vcf.hint')}
          {row('people.csv', 'people', 'data.csv', 'data.csv.hint')}
          {row('log.csv', 'clock', 'data.log', 'data.log.hint')}
          {row('book.json', 'file', 'data.json', 'data.json.hint')}
          {row('steps', 'today', 'data.steps', 'data.steps.hint', steps)}
        </ul>
      </section>
      <section><h2 class="part">{t('data.devices')}</h2>
        <ul class="card list">
          {row('all', 'phone', 'data.all', 'data.all.hint')}
          <li><a class="line-link file" href="#/import"><Icon name="plus" /><span>{t('data.bring')}<small class="soft">{t('data.bring.hint')}</small></span></a></li>
        </ul>
      </section>
      <p class="soft small center pad">{t('data.careful')}</p>
    </>
  )
}
