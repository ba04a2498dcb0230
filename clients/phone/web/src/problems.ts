// What could not be used of a file or a card, as the importer says it, in the words of the screen.
import { type Key, t } from './i18n'

const all: [RegExp, Key][] = [
  [/no calling code/, 'problem.code'],
  [/e-mail address/, 'problem.email'],
  [/no name, number or address/, 'problem.nobody'],
  [/no customer/, 'problem.customer'],
  [/birthday|dates? could not be read|is not a date/, 'problem.date'],
  [/amounts? could not be read|amount that cannot be read|is not a number/, 'problem.amount'],
]

/** problem is a sentence of the importer's with where it is and what stands there; one that is not known stays as it is. */
export function problem(said: string): string {
  const key = all.find(([r]) => r.test(said))?.[1]
  if (!key) return said
  const line = /^line (\d+)/.exec(said)?.[1]
  const many = /^(\d+) /.exec(said)?.[1]
  const what = /"([^"]+)"/.exec(said)?.[1]
  const where = [line && t('problem.line', { n: line }), many && `${many} ×`, what && `“${what}”`].filter(Boolean).join(', ')
  return where ? `${where}: ${t(key)}` : t(key).replace(/^./, c => c.toUpperCase())
}
