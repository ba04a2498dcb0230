import { useState } from 'preact/hooks'
import { language, speak, t } from '../i18n'
import { ask, member, refresh, sync, theme } from '../state'
import { appName } from '../brand'
import { install, installed, kept, persist, way } from '../install'
import { remember } from '../keep'
import { standing } from '../reminders'
import { touring } from '../tour'
import { Segments, Sheet } from '../ui/bits'
import { Icon } from '../ui/icon'
import { Together } from './together'
import { Leave } from './leave'

const themes = ['auto', 'light', 'dark', 'sun'] as const
type Theme = (typeof themes)[number]

/** More is the member, how the app looks, and the way to what is rarely needed. */
export function More() {
  const [byHand, show] = useState(false)
  const [leaving, setLeaving] = useState(false)
  const me = member.value
  const pick = (v: Theme) => { remember('theme', v); theme.value = v }
  const talk = (v: 'en' | 'es') => { void ask('setProfile', { key: 'language', value: v }); void speak(v).then(refresh) }
  return (
    <>
      <section><h2 class="part">{t('more.me')}</h2>
        <div class="card pad stack">
          <label class="field"><span>{t('more.name')}</span>
            <input value={me?.name ?? ''} autocomplete="given-name" onChange={e => void ask('setProfile', { key: 'name', value: e.currentTarget.value.trim() })} /></label>
          <p class="soft small">{t('more.zone')}: {(me?.zone || Intl.DateTimeFormat().resolvedOptions().timeZone).replace(/_/g, ' ')}</p>
        </div>
      </section>
      {!touring.value && <section><h2 class="part">{t('boards.together')}</h2>
        <Together />
        <div class="card list" style={{ marginTop: '12px' }}>
          <button class="line-link" role="switch" aria-checked={me?.boards !== 'off'} style={{ width: '100%', minHeight: '72px', textAlign: 'start' }} onClick={() => void ask('setProfile', { key: 'boards', value: me?.boards === 'off' ? 'on' : 'off' }).then(refresh)}>
            <span>{t('more.boards')}<small class="soft small" style={{ display: 'block' }}>{t(me?.boards === 'off' ? 'more.boards.off' : 'more.boards.on')}</small></span><i class="switch" aria-hidden="true" />
          </button>
        </div>
      </section>}
      <section><h2 class="part">{t('more.language')}</h2>
        <Segments label={t('more.language')} value={language.value as 'en' | 'es'} onPick={talk} all={[{ value: 'en', label: 'English' }, { value: 'es', label: 'Español' }]} />
      </section>
      <section><h2 class="part">{t('more.theme')}</h2>
        <Segments label={t('more.theme')} value={theme.value as Theme} onPick={pick} all={themes.map(value => ({ value, label: t(`theme.${value}`) }))} />
      </section>
      <section>
        <ul class="card list">
          {!touring.value && <li><a class="line-link" href="#/card"><Icon name="qr" /><span>{t('more.card')}</span></a></li>}
          <li><a class="line-link" href="#/share"><Icon name="share" /><span>{t('share.title')}</span></a></li>
          <li><a class="line-link" href="#/review"><Icon name="moon" /><span>{t('more.review')}</span></a></li>
          {!touring.value && <li><a class="line-link" href="#/reminders"><Icon name="clock" /><span>{t('more.reminders')}</span><span class="chip">{t(standing.value === 'on' ? 'reminders.short.on' : 'reminders.short.off')}</span></a></li>}
          <li><a class="line-link" href="#/import"><Icon name="file" /><span>{t('more.import')}</span></a></li>
          {!touring.value && <li><a class="line-link" href="#/sync"><Icon name={sync.value?.unsent ? 'phone' : 'cloud'} /><span>{t('more.sync')}</span>{!!sync.value?.unsent && <span class="chip brand">{sync.value.unsent}</span>}</a></li>}
          {!touring.value && <li><a class="line-link" href="#/data"><Icon name="heart" /><span>{t('data.title')}</span></a></li>}
          {way() !== '' && !touring.value && <li><button class="line-link" onClick={() => (way() === 'ask' ? void install() : show(true))}><Icon name="home" /><span>{t('more.install', { app: appName() })}</span></button></li>}
        </ul>
      </section>
      {kept.value !== null && !touring.value && (
        <section><h2 class="part">{t('keep.title')}</h2>
          <div class="card pad keep"><Icon name={kept.value ? 'check' : 'phone'} /><div><strong>{t(kept.value ? 'keep.yes' : 'keep.no')}</strong><p class="soft small">{t(kept.value ? 'keep.yes.hint' : installed.value ? 'keep.no.hint' : 'keep.install')}</p></div>
            {!kept.value && <button class="button small-button" onClick={() => void persist()}>{t('keep.ask')}</button>}</div>
        </section>
      )}
      {byHand && <ByHand onClose={() => show(false)} />}
      {!touring.value && <button class="button quiet wide danger leave" onClick={() => setLeaving(true)}>{t('leave.title')}</button>}
      {leaving && <Leave onClose={() => setLeaving(false)} />}
    </>
  )
}

/** ByHand shows how an app comes to the home screen where the browser does not offer it: Share, then Add to Home Screen. */
export function ByHand({ onClose }: { onClose: () => void }) {
  return (
    <Sheet title={t('install.title', { app: appName() })} onClose={onClose}>
      <ol class="hand">
        <li><svg viewBox="0 0 200 120" aria-hidden="true"><rect x="1" y="1" width="198" height="118" rx="16" class="frame" /><path d="M20 78h160" class="rule" />
          <path d="M100 86v18M94 91l6-6 6 6M91 97h-3v13h24V97h-3" class="lit" /><path d="M36 91l-7 7 7 7M64 91l7 7-7 7M134 92h12v12h-12zM166 93v13l6-3 6 3V93" class="dim" /><circle cx="100" cy="98" r="19" class="ring" /></svg>
          <p><strong>1.</strong> {t('install.share')}</p></li>
        <li><svg viewBox="0 0 200 120" aria-hidden="true"><rect x="1" y="1" width="198" height="118" rx="16" class="frame" /><path d="M20 34h118M20 92h90" class="dim" /><rect x="12" y="48" width="176" height="30" rx="9" class="pick" />
          <path d="M24 63h96" class="lit" /><path d="M158 55h16v16h-16zM166 59v8M162 63h8" class="lit" /></svg>
          <p><strong>2.</strong> {t('install.add')}</p></li>
      </ol>
      <button class="button main wide" onClick={e => e.currentTarget.closest('dialog')!.close()}>{t('trouble.close')}</button>
    </Sheet>
  )
}
