import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'

/** later is a screen whose code is loaded when it is first shown. It lies on the phone like all others. */
export function later<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): ComponentType<P> {
  let loaded: ComponentType<P> | null = null
  return function Later(props: P) {
    const [Show, set] = useState<ComponentType<P> | null>(() => loaded)
    useEffect(() => {
      if (loaded) return
      let live = true
      void load().then(m => { loaded = m.default; if (live) set(() => m.default) })
      return () => { live = false }
    }, [])
    return Show && <Show {...props} />
  }
}
