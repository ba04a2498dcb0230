import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { DeviceError } from './device'
import { t } from './i18n'
import { trouble } from './state'

/** missing is what is said of a part of the app that did not come. The browser asks for it again when the page is loaded again. */
export const missing = () => new DeviceError(t('err.part'), t('err.part.hint'), 'start')

/** later is a screen whose code is loaded when it is first shown. It lies on the phone like all others, once the first visit has
 * brought all of it. */
export function later<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): ComponentType<P> {
  let loaded: ComponentType<P> | null = null
  return function Later(props: P) {
    const [Show, set] = useState<ComponentType<P> | null>(() => loaded)
    useEffect(() => {
      if (loaded) return
      let live = true
      void load().then(m => { loaded = m.default; if (live) set(() => m.default) }, () => { if (live) trouble.value = missing() })
      return () => { live = false }
    }, [])
    return Show && <Show {...props} />
  }
}
