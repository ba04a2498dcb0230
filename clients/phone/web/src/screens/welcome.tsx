import { useEffect, useRef, useState } from 'preact/hooks'
import { language, number, t } from '../i18n'
import { ask, habit, member, newcomer, talk } from '../state'
import { go } from '../route'
import { inDraft } from '../update'
import { Segments } from '../ui/bits'
import { Icon } from '../ui/icon'

const here = () => Intl.DateTimeFormat().resolvedOptions().timeZone

/** Welcome is the first steps of a new member: who, how much a day, and whom to begin with. */
export default function Welcome() {
  const [step, set] = useState(0)
  const head = useRef<HTMLHeadingElement>(null)
  useEffect(inDraft, [])
  useEffect(() => { head.current?.focus({ preventScroll: true }) }, [step])
  const next = () => set(step + 1)
  return (
    <div class="steps">
      <div class="progress" role="progressbar" aria-valuemin={0} aria-valuemax={3} aria-valuenow={step + 1} aria-label={t('welcome.of', { n: step + 1 })}><i style={{ width: `${((step + 1) / 3) * 100}%` }} /></div>
      <h1 tabIndex={-1} ref={head}>{t((['welcome.you', 'welcome.goals', 'welcome.people'] as const)[step]!)}</h1>
      {step === 0 ? <You next={next} /> : step === 1 ? <Goals next={next} /> : <People />}
    </div>
  )
}

function You({ next }: { next: () => void }) {
  const [name, setName] = useState(member.value?.name ?? '')
  const zone = here()
  const save = async (e: Event) => {
    e.preventDefault()
    if (name.trim()) await ask('setProfile', { key: 'name', value: name.trim() })
    await ask('setProfile', { key: 'language', value: language.value })
    if (member.value?.zone !== zone) await ask('moveHome', { zone })
    next()
  }
  return (
    <form class="stack" onSubmit={e => void save(e)}>
      <label class="field"><span>{t('more.name')}</span><input value={name} autocomplete="given-name" autocapitalize="words" enterkeyhint="next" onInput={e => setName(e.currentTarget.value)} /></label>
      <p class="soft small">{t('welcome.name')}</p>
      <Segments label={t('more.language')} value={language.value as 'en' | 'es'} onPick={talk} all={[{ value: 'en', label: 'English' }, { value: 'es', label: 'Español' }]} />
      <p class="card pad"><strong>{zone.replace(/_/g, ' ')}</strong><br /><span class="soft">{t('welcome.zone')}</span></p>
      <p class="end"><button class="button main wide">{t('welcome.next')}</button></p>
    </form>
  )
}

function Goals({ next }: { next: () => void }) {
  const rings = habit.value?.rings ?? []
  const proposed = newcomer.value?.targets ?? []
  const [want, set] = useState<Record<string, number>>(() => Object.fromEntries(rings.map(r => [r.metric, r.want || (proposed.find(p => p.metric === r.metric)?.daily ?? 0)])))
  const step = (metric: string) => (metric === 'learn' ? 5 : 1)
  const save = async () => {
    for (const r of rings) if ((want[r.metric] ?? 0) !== r.want) await ask('commit', { dimension: r.metric, count: want[r.metric] ?? 0 })
    next()
  }
  return (
    <div class="stack">
      <p class="soft">{newcomer.value?.words ?? t('welcome.goals.hint')}</p>
      <ul class="card list counts">{rings.slice(0, 4).map(r => (
        <li key={r.metric}><span class="cap">{r.label}</span>
          <span class="by"><button class="button square" aria-label={`${r.label} −`} onClick={() => set({ ...want, [r.metric]: Math.max(0, (want[r.metric] ?? 0) - step(r.metric)) })}>−</button>
          <output class="num count">{number(want[r.metric] ?? 0)}</output>
          <button class="button square" aria-label={`${r.label} +`} onClick={() => set({ ...want, [r.metric]: (want[r.metric] ?? 0) + step(r.metric) })}>+</button></span></li>
      ))}</ul>
      <p class="soft small">{t('welcome.goals.free')}</p>
      <p class="end"><button class="button main wide" onClick={() => void save()}>{t('welcome.next')}</button></p>
    </div>
  )
}

function People() {
  return (
    <div class="stack">
      <p class="soft">{t('welcome.people.hint')}</p>
      <p class="end"><button class="button main wide" onClick={() => go('add')}><Icon name="plus" />{t('welcome.first')}</button>
      <button class="button wide" onClick={() => go('import')}><Icon name="file" />{t('people.import')}</button>
      <button class="button quiet" onClick={() => go('')}>{t('welcome.later')}</button></p>
    </div>
  )
}
