import { useState } from 'preact/hooks'
import { appName } from '../brand'
import { language, t } from '../i18n'
import { ask, joining, refresh, talk, trouble } from '../state'
import { told } from '../known'
import { missing } from '../later'
import { go, route } from '../route'
import { Icon, Mark } from '../ui/icon'

/** plain is a part of an address in words; a link that was cut off is taken as it is. */
function plain(part: string): string {
  try { return decodeURIComponent(part) } catch { return part }
}

/** Code takes the code of an invitation. */
export function Code({ go: label }: { go: 'join.go' | 'again.go' }) {
  const [where = '', given = ''] = route.value
  const [code, setCode] = useState(where === 'join' ? plain(given) : '')
  const [busy, setBusy] = useState(false)
  const submit = async (e: Event) => {
    e.preventDefault()
    setBusy(true)
    const done = await ask('join', { code: code.trim(), name: t('join.phone') })
    if (done) {
      joining.value = true
      if (route.value[0] === 'join' || route.value[0] === 'again') go('') // the book may have been there before the answer
      await refresh()
    }
    setBusy(false)
  }
  return (
    <form class="stack" onSubmit={e => void submit(e)}>
      <label class="field"><span>{t('join.code')}</span>
        <input class="code" value={code} onInput={e => setCode(e.currentTarget.value)} autocomplete="one-time-code" autocapitalize="characters" spellcheck={false} placeholder="XXXX-XXXX-XXXX" required enterkeyhint="go" />
      </label>
      <button class="button main wide" disabled={busy || !code.trim()}>{busy ? t('join.wait') : <><Icon name="check" />{t(label)}</>}</button>
      <p class="soft small">{t('join.hint')}</p>
    </form>
  )
}

/** Join is the first screen there is: the code of an invitation makes this phone one of the member's devices. */
export function Join() {
  const [touring, setTouring] = useState(false)
  const around = async () => {
    setTouring(true)
    go('')
    try {
      const { look } = await import('../sample').catch(() => { throw missing() })
      await look()
    } catch (e) {
      trouble.value = told(e)
      setTouring(false)
    }
  }
  return (
    <main class="welcome">
      <div class="hero"><Mark size={72} /><h1>{appName()}</h1><p>{t('join.title')}</p></div>
      <div class="stack"><Code go="join.go" />
        <button type="button" class="button wide look" disabled={touring} onClick={() => void around()}>{touring ? t('tour.wait') : <><Icon name="compass" />{t('join.tour')}</>}</button>
        <button type="button" class="button quiet" onClick={() => talk(language.value === 'es' ? 'en' : 'es')}>{language.value === 'es' ? 'English' : 'Español'}</button>
      </div>
    </main>
  )
}
