import { t } from '../i18n'
import { Segments } from './bits'

const heats = ['hot', 'warm', 'later'] as const
/** Heat is how near somebody is. It is kept as a tag; warm is who has none of them. */
export type Heat = (typeof heats)[number]
export const heatOf = (tags: string[]): Heat => (['hot', 'later'] as const).find(h => tags.includes(h)) ?? 'warm'
/** otherTags are the tags that are words of the member's own. */
export const otherTags = (tags: string[]) => tags.filter(tag => !(heats as readonly string[]).includes(tag))

export function HeatPick({ value, onPick }: { value: Heat; onPick: (h: Heat) => void }) {
  return <Segments label={t('add.heat')} value={value} onPick={onPick} all={[{ value: 'hot', label: t('add.hot') }, { value: 'warm', label: t('add.warm') }, { value: 'later', label: t('add.cold') }]} />
}
