import { useState } from 'preact/hooks'
import { t } from '../i18n'
import { ask, member, say, sync } from '../state'
import { go } from '../route'
import { Sheet } from '../ui/bits'
import { Icon } from '../ui/icon'
import { keep } from '../file'

/** Leave signs out of this phone: what is only here can be saved first, then nothing of the book stays. */
export function Leave({ onClose }: { onClose: () => void }) {
  const [busy, setBusy] = useState(false)
  const [saved, setSaved] = useState(false)
  const only = sync.value?.unsent ?? 0
  const first = only > 0 && !saved
  const leave = async () => {
    setBusy(true)
    const done = await ask<{ told: boolean }>('leave')
    if (!done) { setBusy(false); return }
    go('')
    say(t(done.told ? 'leave.done' : 'leave.done.untold'))
  }
  return (
    <Sheet title={t('leave.title')} onClose={onClose}>
      <p>{t('leave.what', { name: member.value?.name ?? '' })}</p>
      {only > 0 ? (
        <p class={`line ${saved ? '' : 'ember'}`} role="status"><Icon name={saved ? 'check' : 'phone'} /><span>{saved ? t('leave.saved') : t('leave.only', { n: only })}</span></p>
      ) : <p class="line"><Icon name="cloud" /><span>{t('leave.safe')}</span></p>}
      {first && <button class="button main wide" disabled={busy} onClick={() => void keep('unsent').then(ok => { if (ok) setSaved(true) })}><Icon name="file" />{t('leave.save')}</button>}
      <button class={`button wide ${first ? 'quiet' : ''} danger`} disabled={busy} onClick={() => void leave()}>{t(busy ? 'leave.wait' : first ? 'leave.without' : 'leave.go')}</button>
      {!busy && <button class="button quiet wide" onClick={e => e.currentTarget.closest('dialog')!.close()}>{t('leave.stay')}</button>}
    </Sheet>
  )
}
