import { brand, picture } from '../brand'
// Icons after the shapes of everyday things; drawn for 24 by 24.
const paths = {
  today: 'M4 7h10M4 12h16M4 17h7', people: 'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM2 21v-1a7 7 0 0 1 14 0v1M17 11a3.5 3.5 0 0 0 0-7M18 14.5A6 6 0 0 1 22 20v1',
  goals: 'M12 21a9 9 0 1 1 9-9M12 16a4 4 0 1 1 4-4M12 12l9-9M17 3h4v4', more: 'M5 12a.5.5 0 1 0 1 0 .5.5 0 1 0-1 0M11.5 12a.5.5 0 1 0 1 0 .5.5 0 1 0-1 0M18 12a.5.5 0 1 0 1 0 .5.5 0 1 0-1 0', plus: 'M12 5v14M5 12h14',
  call: 'M5 3h3.5l2 5-2.5 2a12 12 0 0 0 6 6l2-2.5 5 2V19a2 2 0 0 1-2 2A17 17 0 0 1 3 5a2 2 0 0 1 2-2Z',
  text: 'M4 5h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1h-8l-5 4v-4H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1Z', email: 'M3 6h18v12H3zM3 7l9 6 9-6', in_person: 'M12 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM5 21a7 7 0 0 1 14 0',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 7v5l3 2', no: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM6 6l12 12', check: 'M5 12.5 10 17l9-10', spark: 'M12 3v5M12 16v5M3 12h5M16 12h5M6 6l3 3M15 15l3 3M18 6l-3 3M9 15l-3 3',
  cloud: 'M7 18a5 5 0 0 1-.5-9.97A6 6 0 0 1 18 9.5 4.3 4.3 0 0 1 17.5 18H7ZM9.5 13l2 2 3.5-4', phone: 'M8 2.5h8a1.5 1.5 0 0 1 1.5 1.5v16a1.5 1.5 0 0 1-1.5 1.5H8A1.5 1.5 0 0 1 6.5 20V4A1.5 1.5 0 0 1 8 2.5ZM11 18.5h2', search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM20 20l-4-4',
  back: 'M15 5l-7 7 7 7', close: 'M6 6l12 12M18 6 6 18', share: 'M12 15V4M8 7l4-4 4 4M5 13v6a1 1 0 0 0 1 1h12a1 1 0 0 0 1-1v-6', learn: 'M3 9l9-5 9 5-9 5-9-5ZM7 11.5V17c3 2.5 7 2.5 10 0v-5.5', bag: 'M5 8h14l1 12H4L5 8ZM9 8a3 3 0 0 1 6 0', flag: 'M5 21V4h12l-2 4 2 4H5', eye: 'M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12ZM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z',
  again: 'M20 11a8 8 0 1 0-2.3 6.3M20 4v7h-7', copy: 'M9 9h11v11H9zM5 15H4V4h11v1', home: 'M4 11l8-7 8 7M6 9.5V20h12V9.5M12 13v4M10 15h4', compass: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM15.5 8.5l-2 5-5 2 2-5 5-2Z', bell: 'M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15L6 16ZM10 21h4',
  podium: 'M9 21V8h6v13M3 21v-7h6M15 11h6v10M2 21h20M12 2v2', flame: 'M12 21a6 6 0 0 0 6-6c0-4-3-5-4-9-3 1.5-4 4-3.5 6C9 11.5 8.5 10.5 8.5 9.5 7 11 6 13 6 15a6 6 0 0 0 6 6Z', lock: 'M6 11h12v10H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  qr: 'M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2v2h-2zM18 18h2v2h-2zM18 14h2M14 18v2', file: 'M6 3h8l4 4v14H6zM14 3v4h4M12 11v6M9.5 14.5 12 17l2.5-2.5', moon: 'M20 14A8 8 0 0 1 10 4a8 8 0 1 0 10 10Z', pen: 'M4 20l1-4L16 5l3 3L8 19l-4 1Z', down: 'M6 9l6 6 6-6', leave: 'M14 4h5v16h-5M4 12h11M8 8l-4 4 4 4', heart: 'M12 20S4 15 4 9a4 4 0 0 1 8-1 4 4 0 0 1 8 1c0 6-8 11-8 11Z',
} as const
export type IconName = keyof typeof paths
export function Icon({ name }: { name: IconName }) {
  return <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d={paths[name]} /></svg>
}

/** Turned says of a line that it leads somewhere. */
export const Turned = () => <i class="turned soft" aria-hidden="true"><Icon name="back" /></i>

/** Mark is the company's logo, or the sign of Trio: three steps, the first one ready to be taken. */
export function Mark({ size = 28 }: { size?: number }) {
  const logo = brand.value.logo
  if (logo) return <img class="logo" src={picture(logo)} alt="" style={{ height: `${size}px`, maxWidth: `${size * 4}px` }} />
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect x="2" y="4" width="28" height="7" rx="3.5" fill="var(--brand)" />
      <rect x="2" y="13" width="20" height="7" rx="3.5" fill="var(--brand)" opacity=".55" />
      <rect x="2" y="22" width="12" height="7" rx="3.5" fill="var(--brand)" opacity=".3" />
    </svg>
  )
}
