import { day, t } from '../i18n'
import { member, sync } from '../state'
import { Icon, Mark } from '../ui/icon'
import { Code } from './join'
import { keep } from '../file'

/** Again is for a phone whose access ended: the book stays readable, and a new code lets the same book go on. */
export function Again() {
  const only = sync.value?.unsent ?? 0
  return (
    <div class="stack">
      <p class="soft">{t('again.lead')}</p>
      {only > 0 && <button class="button wide" onClick={() => void keep('unsent')}><Icon name="file" />{t('sync.export')}</button>}
      <div class="card pad"><Code go="again.go" /></div>
    </div>
  )
}

/** Emptied is what a phone shows whose access the company took back: it is empty, and what it had not sent is kept. */
export function Emptied() {
  const at = member.value?.left
  return (
    <main class="welcome">
      <div class="hero"><Mark size={72} /><h1>{t('emptied.title')}</h1>
        <p>{t('emptied.what', { date: at ? day(new Date(at).toISOString().slice(0, 10), { day: 'numeric', month: 'long' }) : '' })}</p>
        <ul class="card list"><li><Icon name="check" /><span>{t('emptied.kept')}</span></li><li><Icon name="qr" /><span>{t('emptied.next')}</span></li></ul>
      </div>
      <Code go="again.go" />
    </main>
  )
}
