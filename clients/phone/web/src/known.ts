// What the core and the browser say of trouble, in one language, as messages that a person can act on.
import { type Key, known, language, t } from './i18n'
import { DeviceError } from './device'

const sentences: [RegExp, string][] = [
  [/server's storage is full/, 'server'], // before what is full here
  [/company's storage quota/, 'quota'],
  [/storage is full|quota|disk is full|SQLITE_FULL/i, 'full'],
  [/written by a newer version|has schema \d+, this version knows/, 'newer'],
  [/another program has this data open|NoModificationAllowed|Access Handles? cannot be created|createSyncAccessHandle/i, 'inuse'],
  [/access was taken back|token is revoked|was revoked/, 'left'],
  [/belongs to another member or device/, 'owner'],
  [/stored history is damaged|not a Trio database|malformed|not a database|disk I\/O error/, 'damaged'],
  [/a contact needs a name/, 'name'],
  [/phone number .*want/, 'phone'],
  [/e-mail address .*want/, 'email'],
  [/time zone .* is not known/, 'zone'],
  [/shorten it to|in smaller parts/, 'long'],
  [/split it and import|are taken on a phone/, 'big'],
  [/is not in the book|is not an id/, 'gone'],
  [/cannot be taken back/, 'undo'],
  [/goal .*(want a whole number|is not one)/, 'goal'],
  [/(vCard|CSV|column|header|file|table|encoding)/i, 'file'],
  [/connect to |connection ended|no answer|cannot be reached|Failed to fetch|HTTP 5\d\d|coming back|come back later|shutting down/, 'offline'],
  [/WebAssembly|could not start|Failed to load|importScripts|out of memory|CompileError/, 'start'],
]

/** in words is what was said, as a message with what to do; code names it, "" where it is not one that we know. */
export function inWords(said: string): { code: string; message: string; hint: string } {
  const of = sentences.find(([r]) => r.test(said))?.[1] ?? ''
  return of
    ? { code: of, message: t(`err.${of}` as Key), hint: t(`err.${of}.hint` as Key) }
    : { code: '', message: t('err.unknown'), hint: `${t('err.unknown.hint')} (${said})` }
}

/** told is an error as a screen shows it. */
export function told(e: unknown): DeviceError {
  const said = e instanceof Error ? e.message : String(e)
  const own = e instanceof DeviceError ? e : null
  if (known(said) !== said || own?.hint) return new DeviceError(known(said), known(own?.hint ?? ''), own?.code)
  const { code, message, hint } = inWords(said)
  // What is wrong with a file stands in the sentence itself, which is English.
  return new DeviceError(message, code === 'file' && language.value === 'en' ? `${said.charAt(0).toUpperCase()}${said.slice(1)}.` : hint, code)
}
