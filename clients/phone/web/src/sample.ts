// The sample that the tour goes through, loaded when somebody wants it. Its people are written by the same calls as everybody's,
// and ranked by the same ranker.
import { connect } from './connect'
import type { Device } from './device'
import { forget } from './keep'
import { language } from './i18n'
import { tour } from './protocol'
import { start } from './state'
import { touring } from './tour'

const day = 86_400_000

/** Person is somebody of the sample; met: captured today, the others were in the address book. */
interface Person { name: string; met?: boolean; phone?: string; email?: string; tags?: string[]; note?: string; stage?: string; log?: Past[] }
/** Past is an entry of so many days ago, E1 unless a system saw it. */
interface Past { ago: number; kind: string; outcome?: string; evidence?: string; channel?: string; cents?: number; note?: string; minutes?: number; due?: number }

/** The numbers are of those that are kept free for films and samples. */
const number = (i: number) => `+120255501${String(i).padStart(2, '0')}`

function people(es: boolean): Person[] {
  const w = (en: string, sp: string) => (es ? sp : en)
  const orders = (...ago: number[]): Past[] => ago.map(a => ({ ago: a, kind: 'order', cents: 6450, evidence: 'E4' }))
  return [
    { name: 'Joanna Reyes', phone: number(0), email: 'joanna@example.com', log: [...orders(135, 90, 45), { ago: 60, kind: 'text', outcome: 'replied' }], note: w('Loves the morning blend', 'Le encanta la mezcla de la mañana') },
    { name: 'Tom Okafor', phone: number(1), tags: [w('market day', 'mercado')], log: [{ ago: 6, kind: 'webinar.registered', evidence: 'E3', due: 1 }, { ago: 1, kind: 'webinar.attended', evidence: 'E3' }] },
    { name: 'Priya Raman', phone: number(2), email: 'priya@example.com', log: [{ ago: 0.004, kind: 'form', evidence: 'E3' }] },
    { name: 'Lucía Fernández', phone: number(3), tags: [w('school fair', 'feria del colegio')], note: w('Asked about tea. Two girls.', 'Preguntó por el té. Dos niñas.'), log: [{ ago: 9, kind: 'call', outcome: 'not_ready' }] },
    { name: 'Ben Whitfield', email: 'ben@example.com', log: [{ ago: 2, kind: 'video.watched', evidence: 'E3' }] },
    { name: 'Grace Boateng', phone: number(5), log: orders(210, 160, 118) },
    { name: 'Pablo Iglesias', phone: number(6), log: orders(4) },
    { name: 'Ingrid Novak', phone: number(7), stage: 'promoter', log: [{ ago: 7, kind: 'stage' }] },
    { name: 'Kwame Mensah', met: true, phone: number(8), tags: [w('market day', 'mercado')] },
    { name: 'Mercedes Vidal', phone: number(9), log: [...orders(95, 64, 33, 2), { ago: 20, kind: 'call', outcome: 'answered' }] },
    { name: 'Aisha Karim', met: true, phone: number(10), tags: [w('school fair', 'feria del colegio')], note: w('Neighbour of Lucía', 'Vecina de Lucía') },
    { name: 'Chen Wu', phone: number(11), log: [{ ago: 12, kind: 'text', outcome: 'no_answer' }, { ago: 3, kind: 'site.visited', evidence: 'E3' }] },
  ]
}

/** fill writes the sample: people, what happened with them, and ten days of a member's habits. */
async function fill(d: Device, es: boolean) {
  const now = Date.now()
  const write = (method: string, args: object) => d.call<{ id: string }>(method, args, crypto.randomUUID())
  const zone = -new Date().getTimezoneOffset()
  const log = (contact: string | undefined, { ago, due, cents, minutes, evidence = 'E1', ...p }: Past, more: object = {}) => write('log', {
    entry: {
      at: Math.round(now - ago * day), ...(zone && { zone }), evidence, ...p, ...more, ...(contact && { contact }),
      ...(due !== undefined && { due: new Date(now - due * day).toISOString().slice(0, 10) }),
      ...((cents || minutes) && { value: { ...(cents && { cents, currency: es ? 'EUR' : 'USD' }), ...(minutes && { minutes }) } }),
    },
  })
  await write('setProfile', { key: 'name', value: es ? 'Marta' : 'Maya' })
  await write('setProfile', { key: 'language', value: es ? 'es' : 'en' })
  await write('setProfile', { key: 'quiet', value: '03:00-03:01' }) // who looks around at night is to see it as by day
  await write('moveHome', { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })
  await write('commit', { dimension: 'outreach', count: 2 })
  await write('commit', { dimension: 'followup', count: 2 })
  await write('commit', { dimension: 'learn', count: 10 })
  const ids: string[] = []
  for (const p of people(es)) {
    const { id } = await write('add', {
      fields: {
        name: p.name, ...(!p.met && { source: 'import' }), ...(p.phone && { [`phone/${p.phone}`]: 'mobile' }), ...(p.email && { [`email/${p.email}`]: '' }), ...(p.note && { note: p.note }),
        ...Object.fromEntries((p.tags ?? []).map(tag => [`tag/${tag}`, 'yes'])),
      },
    })
    ids.push(id)
    for (const e of p.log ?? []) await log(id, e, e.kind === 'stage' ? { stage: p.stage } : {})
  }
  await log(ids[8], { ago: 0.1, kind: 'text', outcome: 'replied' })
  await log(undefined, { ago: 0.2, kind: 'learn', minutes: 10 })
}

/** look opens the app over a sample, in place of the book that nobody has joined yet. */
export async function look() {
  const d = connect(tour)
  try {
    await fill(d, language.value === 'es')
  } catch (e) {
    d.close()
    throw e
  }
  forget()
  touring.value = true
  await start(d)
}
