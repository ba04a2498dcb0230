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
  const pick = async (value: string) => {
    if (member.value) member.value = { ...member.value, remind: value }
    await ask('setProfile', { key: 'remind', value })
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
            <select value={hour} onChange={e => void pick(e.currentTarget.value)}>
              {all.map(h => <option key={h} value={h}>{clock(h)}</option>)}
              <option value={never}>{t('reminders.never')}</option>
            </select></label>
          <p class="soft small">{t('reminders.hour.hint')}</p>
        </div>
      </section>}
    </>
  )
}

/** clock is an hour as it is written where the member lives. */
function clock(h: string) {
  const [hour = 0, minute = 0] = h.split(':').map(Number)
  return new Intl.DateTimeFormat(region.value, { hour: 'numeric', minute: '2-digit', timeZone: 'UTC' }).format(Date.UTC(2026, 0, 1, hour, minute))
}
