import { useState } from 'preact/hooks'
import { language, speak, t } from '../i18n'
import { ask, member, refresh, sync } from '../state'
import { Segments } from '../ui/bits'
import { Icon } from '../ui/icon'

const themes = ['auto', 'light', 'dark', 'sun'] as const
type Theme = (typeof themes)[number]

/** More is the member, how the app looks, and the way to what is rarely needed. */
export function More() {
  const [theme, setTheme] = useState(() => (localStorage.getItem('theme') ?? 'auto') as Theme)
  const me = member.value
  const pick = (v: Theme) => { localStorage.setItem('theme', v); document.documentElement.dataset['theme'] = v; setTheme(v) }
  const talk = (v: 'en' | 'es') => { speak(v); void ask('setProfile', { key: 'language', value: v }); void refresh() }
  return (
    <>
      <section><h2 class="part">{t('more.me')}</h2>
        <div class="card pad stack">
          <label class="field"><span>{t('more.name')}</span>
            <input value={me?.name ?? ''} autocomplete="given-name" onChange={e => void ask('setProfile', { key: 'name', value: e.currentTarget.value.trim() })} /></label>
          <p class="soft small">{t('more.zone')}: {me?.zone || Intl.DateTimeFormat().resolvedOptions().timeZone}</p>
        </div>
      </section>
      <section><h2 class="part">{t('more.language')}</h2>
        <Segments label={t('more.language')} value={language.value as 'en' | 'es'} onPick={talk} all={[{ value: 'en', label: 'English' }, { value: 'es', label: 'Español' }]} />
      </section>
      <section><h2 class="part">{t('more.theme')}</h2>
        <Segments label={t('more.theme')} value={theme} onPick={pick} all={themes.map(value => ({ value, label: t(`theme.${value}`) }))} />
      </section>
      <section>
        <ul class="card list">
          <li><a class="line-link" href="#/import"><Icon name="file" /><span>{t('more.import')}</span></a></li>
          <li><a class="line-link" href="#/sync"><Icon name={sync.value?.unsent ? 'phone' : 'cloud'} /><span>{t('more.sync')}</span>{!!sync.value?.unsent && <span class="chip brand">{sync.value.unsent}</span>}</a></li>
        </ul>
      </section>
    </>
  )
}
