// The company's face: name, colours and logo of its playbook. What was there last is remembered, so that the first paint has it.
import { effect, signal } from '@preact/signals'
import { contrast, ink, luminance, mix, parse, readable } from './color'
import { recallAs, remember } from './keep'

export interface Brand { version: number; name?: string; primary?: string; accent?: string; background?: string; text?: string; logo?: string }

export const brand = signal<Brand>(recallAs<Brand>('brand', { version: 0 }))
export const appName = () => brand.value.name ?? 'Trio'

/** wear takes a brand up, and remembers it. */
export function wear(b: Brand) {
  if (JSON.stringify(b) === JSON.stringify(brand.value)) return
  brand.value = b
  remember('brand', JSON.stringify(b))
}

/** picture is a logo as an img shows it, where it can neither run nor load anything. */
export const picture = (logo: string) => (logo.startsWith('<svg')
  ? `data:image/svg+xml,${encodeURIComponent(/\sxmlns\s*=/.test(logo.slice(0, logo.indexOf('>'))) ? logo : logo.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"'))}`
  : logo)

const white = '#ffffff', night = '#17211c'
const paper = { light: '#f6f3ec', dark: '#0e1512' }
const body = { light: '#15201b', dark: '#f2f5f0' }

/** shades are the custom properties of tokens.css that a brand sets; a colour that could not be read becomes a shade that can. */
export function shades(b: Brand): Record<string, string> {
  const out: Record<string, string> = {}
  const ground = { ...paper }
  if (b.background) {
    const side = luminance(parse(b.background)) > 0.18 ? 'light' : 'dark'
    if (contrast(b.background, body[side]) >= 7) out[`--paper-${side}`] = ground[side] = b.background
  }
  if (b.text) for (const side of ['light', 'dark'] as const) {
    if (contrast(b.text, ground[side]) >= 7 && contrast(b.text, side === 'light' ? white : night) >= 7) out[`--ink-${side}`] = b.text
  }
  if (b.primary) {
    const light = readable(b.primary, 4.5, white, ground.light, mix(b.primary, white, 0.86))
    const dark = readable(b.primary, 7, night, ground.dark)
    const sun = readable(b.primary, 9, white)
    const wash = { light: mix(light, white, 0.87), dark: mix(dark, night, 0.8) }
    Object.assign(out, {
      '--brand-light': light, '--brand-dark': dark, '--brand-sun': sun, '--brand-ink-light': ink(light), '--brand-ink-dark': ink(dark),
      '--wash-light': wash.light, '--wash-dark': wash.dark, '--wash-ink-light': readable(light, 7, wash.light), '--wash-ink-dark': readable(dark, 7, wash.dark),
    })
  }
  if (b.accent) {
    const light = readable(b.accent, 4.5, white, ground.light), dark = readable(b.accent, 7, night, ground.dark)
    const wash = { light: mix(light, white, 0.87), dark: mix(dark, night, 0.8) }
    Object.assign(out, {
      '--ember-wash-light': wash.light, '--ember-wash-dark': wash.dark, '--ember-sun': readable(b.accent, 9, white),
      '--ember-light': readable(light, 4.5, wash.light), '--ember-dark': readable(dark, 4.5, wash.dark),
    })
  }
  return out
}

let set: string[] = []
/** dress keeps the page in the brand's colours and the theme that was chosen. */
export function dress(theme: { value: string }) {
  effect(() => {
    const root = document.documentElement
    root.dataset['theme'] = theme.value
    for (const p of set) root.style.removeProperty(p)
    const now = shades(brand.value)
    for (const [p, v] of Object.entries(now)) root.style.setProperty(p, v)
    set = Object.keys(now)
    document.title = appName()
    const tint = () => { for (const m of document.querySelectorAll<HTMLMetaElement>('meta[name=theme-color]')) m.content = getComputedStyle(document.body).backgroundColor }
    tint()
    requestAnimationFrame(tint)
  })
}
