// Reads QR codes out of pictures: one a line of standard input as {"width", "height", "gray": one byte a pixel in base64}, each
// answered by a line with its "text", or the "error" for which there is none.
import { createInterface } from "node:readline"
import { decodeQR } from "qr/decode.js"

for await (const line of createInterface({ input: process.stdin })) {
  const { width, height, gray } = JSON.parse(line)
  const data = new Uint8Array(3 * width * height)
  Buffer.from(gray, "base64").forEach((v, i) => data.fill(v, 3 * i, 3 * i + 3))
  let answer
  try {
    answer = { text: decodeQR({ width, height, data }, { timeLimit: 10_000 }) } // ms; by default that of a camera's picture
  } catch (e) {
    answer = { error: String(e) }
  }
  console.log(JSON.stringify(answer))
}
