import { useEffect, useState } from 'preact/hooks'
import { type Key, region, t } from '../i18n'
import { ask, member, say } from '../state'
import { settle, standing, turnOff, turnOn } from '../reminders'
import { Icon } from '../ui/icon'

const never = 'off'
const hours = Array.from({ length: 17 }, (_, i) => `${String(i + 6).padStart(2, '0')}:00`)

/** Reminders says what they are before the browser asks, and is asked from a tap alone. */
export default function Reminders() {
  const [busy, setBusy] = useState(false)
  useEffect(() => {
    const look = () => { if (document.visibilityState === 'visible') void settle().catch(() => {}) }
    look()
    document.addEventListener('visibilitychange', look) // the person may come back from the browser's settings
    return () => document.removeEventListener('visibilitychange', look)
  }, [])
  if (!member.value) return null
  const is = standing.value
  const hour = member.value.remind || '09:00'
  const all = [...new Set([...hours, ...(hour === never ? [] : [hour])])].sort()
  const on = async () => {
    setBusy(true)
    if (!await turnOn() && standing.value === 'off') say(`${t('reminders.failed')}. ${t('reminders.failed.hint')}`)
    setBusy(false)
  }
  const pick = async (key: 'remind' | 'quiet', value: string) => {
    if (member.value) member.value = { ...member.value, [key]: value }
    await ask('setProfile', { key, value })
  }
  const trouble = is === 'denied' || is === 'install' || is === 'unsupported' || is === 'none' ? is : null
  return (
    <>
      <section class="card pad stack">
        <p>{t('reminders.explain')}</p>
        {trouble && <p role="status"><strong>{t(`reminders.${trouble}`)}</strong> {t(`reminders.${trouble}.hint` as Key)}</p>}
        {is === 'off' && <>
          <button class="button main wide" disabled={busy} onClick={() => void on()}><Icon name="clock" />{t('reminders.turnOn')}</button>
          <p class="soft small">{t('reminders.next')}</p>
        </>}
        {is === 'on' && <>
          <p role="status" style={{ display: 'flex', gap: '10px', alignItems: 'center' }}><Icon name="check" /><span>{t('reminders.on')}</span></p>
          <button class="button quiet wide" disabled={busy} onClick={() => void turnOff().catch(() => {})}>{t('reminders.turnOff')}</button>
        </>}
      </section>
      {trouble !== 'none' && <section><h2 class="part">{t('reminders.daily')}</h2>
        <div class="card pad stack">
          <label class="field"><span>{t('reminders.hour')}</span>
            <select value={hour} onChange={e => void pick('remind', e.currentTarget.value)}>
              {all.map(h => <option key={h} value={h}>{clock(h)}</option>)}
              <option value={never}>{t('reminders.never')}</option>
            </select></label>
          <p class="soft small">{t('reminders.hour.hint')}</p>
        </div>
      </section>}
      <section><h2 class="part">{t('reminders.quiet')}</h2>
        <div class="card pad stack">
          <Quiet of={member.value.quiet ?? ''} pick={value => void pick('quiet', value)} />
          <p class="soft small" id="quiet">{t('reminders.quiet.hint')}</p>
        </div>
      </section>
    </>
  )
}

/** Quiet are the two times of the quiet hours. They are kept as they are changed, once both are there. */
function Quiet({ of, pick }: { of: string; pick: (value: string) => void }) {
  const [typed, type] = useState<[string, string] | null>(null) // what is being typed stays, whatever the device answers meanwhile
  const [from = '', until = ''] = typed ?? of.split('-')
  const set = (from: string, until: string) => {
    type([from, until])
    if (from && until) pick(`${from}-${until}`)
  }
  const leave = () => { if (from && until) type(null) }
  return (
    <div class="ways">
      <label class="field"><span>{t('reminders.from')}</span>
        <input type="time" required value={from} aria-invalid={!from} aria-describedby="quiet" onBlur={leave} onInput={e => set(e.currentTarget.value, until)} /></label>
      <label class="field"><span>{t('reminders.until')}</span>
        <input type="time" required value={until} aria-invalid={!until} aria-describedby="quiet" onBlur={leave} onInput={e => set(from, e.currentTarget.value)} /></label>
    </div>
  )
}

/** clock is an hour as it is written where the member lives. */
function clock(h: string) {
  const [hour = 0, minute = 0] = h.split(':').map(Number)
  return new Intl.DateTimeFormat(region.value, { hour: 'numeric', minute: '2-digit', timeZone: 'UTC' }).format(Date.UTC(2026, 0, 1, hour, minute))
}
