// Colours of a company on screens that have to be read: WCAG's contrast, and the nearest shade that has enough of it.
export type RGB = [number, number, number]

export const parse = (hex: string): RGB => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16)) as RGB
export const hex = (c: RGB) => `#${c.map(n => Math.round(n).toString(16).padStart(2, '0')).join('')}`

const linear = (n: number) => (n / 255 <= 0.04045 ? n / 255 / 12.92 : ((n / 255 + 0.055) / 1.055) ** 2.4)
export const luminance = ([r, g, b]: RGB) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)

export function contrast(a: string, b: string): number {
  const [x, y] = [luminance(parse(a)), luminance(parse(b))]
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05)
}

export const mix = (a: string, b: string, part: number) => hex(parse(a).map((n, i) => n + (parse(b)[i]! - n) * part) as RGB)

/** readable is the colour, or the nearest shade of it that has the contrast on all grounds. */
export function readable(color: string, least: number, ...grounds: string[]): string {
  const towards = luminance(parse(grounds[0]!)) > 0.18 ? '#000000' : '#ffffff'
  for (let part = 0; part < 1; part += 0.02) {
    const shade = mix(color, towards, part)
    if (grounds.every(g => contrast(shade, g) >= least)) return shade
  }
  return towards
}

/** ink is what stands on a colour. */
export const ink = (ground: string) => (contrast(ground, '#ffffff') >= 4.5 ? '#ffffff' : mix(ground, '#000000', 0.82))
