// Reading and drawing of QR codes. It is loaded when a card is first shown or read.
import encodeQR from 'qr'
import decodeQR from 'qr/decode.js'

/** path draws the dark modules of a text as one path in a box of so many modules, quiet zone included. */
export function path(text: string): { d: string; size: number } {
  const rows = encodeQR(text, 'raw', { ecc: 'medium', border: 4, textEncoder: s => new TextEncoder().encode(s) })
  let d = ''
  rows.forEach((row, y) => {
    for (let x = 0; x < row.length; x++) {
      if (!row[x]) continue
      const from = x
      while (row[x]) x++
      d += `M${from} ${y}h${x - from}v1h-${x - from}z`
    }
  })
  return { d, size: rows.length }
}

declare class BarcodeDetector {
  constructor(how: { formats: string[] })
  static getSupportedFormats(): Promise<string[]>
  detect(source: ImageBitmap | HTMLVideoElement): Promise<{ rawValue: string }[]>
}

let detector: BarcodeDetector | null | undefined
const canvas = document.createElement('canvas')

/** most is how many pixels of the longer side are looked at: enough for a large code, little enough for every frame. */
const most = 960

/** read finds the text of a code in a picture, or null. The browser's own reader is asked first, where there is one. */
export async function read(source: ImageBitmap | HTMLVideoElement): Promise<string | null> {
  if (detector === undefined) {
    const can = 'BarcodeDetector' in self && await BarcodeDetector.getSupportedFormats().then(f => f.includes('qr_code'), () => false)
    detector = can ? new BarcodeDetector({ formats: ['qr_code'] }) : null
  }
  if (detector) {
    const found = await detector.detect(source).catch(() => { detector = null; return [] })
    if (found[0]?.rawValue) return found[0].rawValue
    if (detector) return null
  }
  const [width, height] = 'videoWidth' in source ? [source.videoWidth, source.videoHeight] : [source.width, source.height]
  if (!width || !height) return null
  const scale = Math.min(1, most / Math.max(width, height))
  canvas.width = Math.max(1, Math.round(width * scale))
  canvas.height = Math.max(1, Math.round(height * scale))
  const c = canvas.getContext('2d', { willReadFrequently: true })!
  c.drawImage(source, 0, 0, canvas.width, canvas.height)
  try {
    return decodeQR(c.getImageData(0, 0, canvas.width, canvas.height)) || null
  } catch {
    return null // there is none in it
  }
}
