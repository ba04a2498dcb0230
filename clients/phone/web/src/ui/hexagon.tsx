import { Icon, type IconName } from './icon'

const points = Array.from({ length: 6 }, (_, i) => { const a = (Math.PI / 3) * i - Math.PI / 2; return `${27 + 24 * Math.cos(a)},${27 + 24 * Math.sin(a)}` }).join(' ')

/** Hexagon is the mark of a badge, with its level or a sign in it. */
export function Hexagon({ level, icon }: { level: number; icon?: IconName | undefined }) {
  return (
    <span class="hexagon" aria-hidden="true">
      <svg viewBox="0 0 54 54"><polygon points={points} stroke-width="4" stroke-linejoin="round" /></svg>
      {icon ? <Icon name={icon} /> : <b class="num">{level}</b>}
    </span>
  )
}
