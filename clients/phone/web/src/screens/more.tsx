import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { language, number, t } from '../i18n'
import { ask, member, refresh, sync, talk, theme } from '../state'
import { appName } from '../brand'
import { install, installed, kept, persist, way } from '../install'
import { remember } from '../keep'
import { standing } from '../reminders'
import { touring } from '../tour'
import { Segments, Sheet } from '../ui/bits'
import { Icon, type IconName, Turned } from '../ui/icon'
import { Together } from './together'
import { Leave } from './leave'

const themes = ['auto', 'light', 'dark', 'sun'] as const
type Theme = (typeof themes)[number]

/** Line is the way to a screen. */
function Line({ to, icon, chip, lit, children }: { to: string; icon: IconName; chip?: string; lit?: boolean; children: ComponentChildren }) {
  return <li><a class="line-link" href={`#/${to}`}><Icon name={icon} /><span>{children}</span>{chip && <span class={`chip ${lit ? 'brand' : ''}`}>{chip}</span>}<Turned /></a></li>
}

/** More is the member, how the app looks, and the way to what is rarely needed. */
export function More() {
  const [byHand, show] = useState(false)
  const [leaving, setLeaving] = useState(false)
  const [name, setName] = useState<string | null>(null) // as it is typed, whatever comes in meanwhile
  const me = member.value
  const call = async (value: string) => {
    await ask('setProfile', { key: 'name', value })
    await refresh()
    setName(null)
  }
  const pick = (v: Theme) => { remember('theme', v); theme.value = v }
  const speak = (v: 'en' | 'es') => { void ask('setProfile', { key: 'language', value: v }); talk(v) }
  return (
    <>
      <div class="columns">
      <section><h2 class="part">{t('more.me')}</h2>
        <div class="card">
          <div class="pad stack">
            <label class="field"><span>{t('more.name')}</span>
              <input value={name ?? me?.name ?? ''} autocomplete="given-name" onInput={e => setName(e.currentTarget.value)} onChange={e => void call(e.currentTarget.value.trim())} /></label>
            <p class="soft small">{t('more.zone')}: {(me?.zone || Intl.DateTimeFormat().resolvedOptions().timeZone).replace(/_/g, ' ')}</p>
          </div>
          {!touring.value && <ul class="list"><Line to="card" icon="qr">{t('more.card')}</Line></ul>}
        </div>
      </section>
      <section><h2 class="part">{t('more.look')}</h2>
        <div class="stack">
          <Segments label={t('more.theme')} value={theme.value as Theme} onPick={pick} all={themes.map(value => ({ value, label: t(`theme.${value}`) }))} />
          <Segments label={t('more.language')} value={language.value as 'en' | 'es'} onPick={speak} all={[{ value: 'en', label: 'English' }, { value: 'es', label: 'Español' }]} />
        </div>
      </section>
      <section><h2 class="part">{t('boards.together')}</h2>
        <ul class="card list">
          <Line to="share" icon="share">{t('share.title')}</Line>
          {!touring.value && <Together />}
          {!touring.value && <li><button class="line-link" role="switch" aria-checked={me?.boards !== 'off'} onClick={() => void ask('setProfile', { key: 'boards', value: me?.boards === 'off' ? 'on' : 'off' }).then(refresh)}>
            <Icon name="eye" /><span>{t('more.boards')}<small class="soft">{t(me?.boards === 'off' ? 'more.boards.off' : 'more.boards.on')}</small></span><i class="switch" aria-hidden="true" />
          </button></li>}
        </ul>
      </section>
      <section><h2 class="part">{t('more.data')}</h2>
        <ul class="card list">
          <Line to="review" icon="moon">{t('more.review')}</Line>
          <Line to="import" icon="plus">{t('people.import')}</Line>
          {!touring.value && <Line to="sync" icon={sync.value?.unsent ? 'phone' : 'cloud'} chip={sync.value?.unsent ? number(sync.value.unsent) : ''} lit>{t('more.sync')}</Line>}
          {!touring.value && <Line to="data" icon="file">{t('data.title')}</Line>}
        </ul>
      </section>
      {!touring.value && <section><h2 class="part">{t('keep.title')}</h2>
        <ul class="card list">
          <Line to="reminders" icon="bell" chip={t(standing.value === 'on' ? 'reminders.short.on' : 'reminders.short.off')}>{t('more.reminders')}</Line>
          {way() !== '' && <li><button class="line-link put" onClick={() => (way() === 'ask' ? void install() : show(true))}><Icon name="home" /><span>{t('more.install', { app: appName() })}</span><Turned /></button></li>}
          {kept.value !== null && <li class="keep"><Icon name={kept.value ? 'check' : 'phone'} /><div>{t(kept.value ? 'keep.yes' : 'keep.no')}<small class="soft">{t(kept.value ? 'keep.yes.hint' : installed.value ? 'keep.no.hint' : 'keep.install')}</small></div>
            {!kept.value && <button class="button small-button" onClick={() => void persist()}>{t('keep.ask')}</button>}</li>}
          <li><button class="line-link danger leave" onClick={() => setLeaving(true)}><Icon name="leave" /><span>{t('leave.title')}</span></button></li>
        </ul>
      </section>}
      </div>
      {byHand && <ByHand onClose={() => show(false)} />}
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
