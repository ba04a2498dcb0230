import type { Channel } from './device'

export interface Way { way: 'sms' | 'whatsapp' | 'call' | 'email'; href: string }

const apple = /iPhone|iPad|Macintosh/.test(navigator.userAgent)

/** links are the ways in which a step can be taken by another program of the phone, the words filled in. */
export function links(channel: Channel, phone?: string, email?: string, words = ''): Way[] {
  const body = encodeURIComponent(words)
  if (channel === 'call' && phone) return [{ way: 'call', href: `tel:${phone}` }]
  if (channel === 'email' && email) return [{ way: 'email', href: `mailto:${encodeURIComponent(email)}?body=${body}` }]
  if (channel === 'text' && phone) return [
    { way: 'sms', href: `sms:${phone}${apple ? '&' : '?'}body=${body}` }, // what comes after the number is told apart by & on Apple's
    { way: 'whatsapp', href: `https://wa.me/${phone.replace(/\D/g, '')}?text=${body}` },
  ]
  return []
}
