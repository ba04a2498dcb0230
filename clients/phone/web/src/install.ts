// Putting the app on the home screen, and asking the browser to keep its data.
import { signal } from '@preact/signals'
import { recall, remember } from './keep'

interface Prompt extends Event { prompt(): Promise<void>; userChoice: Promise<{ outcome: 'accepted' | 'dismissed' }> }
const prompt = signal<Prompt | null>(null)
const alone = matchMedia('(display-mode: standalone)').matches || (navigator as { standalone?: boolean }).standalone === true
export const apple = /iPhone|iPad|iPod/.test(navigator.userAgent) || (/Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1)

/** kept says whether the browser keeps the data when it is short of room; null: it does not say. */
export const kept = signal<boolean | null>(null)
export const installed = signal(alone)
const refused = signal(recall('install') === 'no')
const acted = signal(recall('acted') === 'yes')

addEventListener('beforeinstallprompt', e => { e.preventDefault(); prompt.value = e as Prompt })
addEventListener('appinstalled', () => { installed.value = true; prompt.value = null })
void navigator.storage?.persisted?.().then(v => { kept.value = v }, () => {})

/** way is how this browser puts the app on the home screen: by asking, by hand (Apple's), or not at all. */
export const way = (): 'ask' | 'hand' | '' => (installed.value ? '' : prompt.value ? 'ask' : apple ? 'hand' : '')
/** offer says that it is time to speak of it: something was done with the app, and nobody said no. */
export const offer = () => acted.value && !refused.value && way() !== ''
export const didAct = () => { if (!acted.value) { acted.value = true; remember('acted', 'yes') } }
export const notNow = () => { refused.value = true; remember('install', 'no') }

/** install asks; it is to be called from a tap. */
export async function install() {
  const p = prompt.value
  if (!p) return
  prompt.value = null // it can be shown once
  await p.prompt()
  if ((await p.userChoice).outcome === 'accepted') await persist()
  else notNow()
}

/** persist asks the browser to keep the data; it is to be called from a tap. */
export async function persist() {
  kept.value = await navigator.storage.persist().catch(() => false)
}
