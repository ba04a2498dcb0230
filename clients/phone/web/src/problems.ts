// What could not be used of a file or a card, as the importer says it, in the words of the screen.
import { type Key, t } from './i18n'

const all: [RegExp, Key][] = [
  [/no calling code/, 'problem.code'],
  [/phone number/, 'problem.phone'],
  [/e-mail address/, 'problem.email'],
  [/no name, number or address/, 'problem.nobody'],
  [/no customer/, 'problem.customer'],
  [/another customer/, 'problem.number'],
  [/read as day\/month/, 'problem.dmy'],
  [/read as month\/day/, 'problem.mdy'],
  [/in the future/, 'problem.future'],
  [/birthday|date/, 'problem.date'],
  [/cancelled|below zero/, 'problem.cancelled'],
  [/repeats? the total/, 'problem.repeats'],
  [/amount|quantit/, 'problem.amount'],
  [/the file already has/, 'problem.same'],
  [/a group|groups/, 'problem.group'],
  [/too long|bytes/, 'problem.long'],
  [/never closed|(no|without an) end/, 'problem.end'],
]
const quoted = /"((?:[^"\\]|\\.)*)"/

/** problem is a sentence of the importer's with where it is and what stands there; one that is not known stays as it is. */
export function problem(said: string): string {
  const words = said.replace(new RegExp(quoted, 'g'), '""') // what stands in the file is not to be taken for what is said of it
  const key = all.find(([r]) => r.test(words))?.[1]
  if (!key) return said
  const line = /^line (\d+)/.exec(said)?.[1]
  const many = /^(\d+) /.exec(said)?.[1]
  const what = quoted.exec(said)?.[1]
  const where = [line && t('problem.line', { n: line }), many && `${many} ×`, what && `“${what}”`].filter(Boolean).join(', ')
  return where ? `${where}: ${t(key)}` : t(key).replace(/^./, c => c.toUpperCase())
}
