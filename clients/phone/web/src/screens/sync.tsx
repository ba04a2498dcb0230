import { useEffect, useState } from 'preact/hooks'
import type { Merged, Unsent } from '../device'
import { ago, t } from '../i18n'
import { ask, safe, sync, wake, watch } from '../state'
import { inWords } from '../known'
import { Icon } from '../ui/icon'
import { keep } from '../file'

const what = (document: string) => t(document === 'contacts' ? 'doc.contacts' : document === 'profile' ? 'doc.profile' : 'doc.log')
const say = { off: 'sync.off', connecting: 'sync.off', connected: 'sync.online', level: 'sync.on', ended: 'sync.ended', left: 'sync.left' } as const

/** Syncing is the truth about what is safe: what is only on this phone, since when, and what came from elsewhere. */
export function Syncing() {
  const [unsent, setUnsent] = useState<Unsent[]>([])
  const [merges, setMerges] = useState<Merged[]>([])
  useEffect(() => {
    let live = true
    const load = async () => {
      const [u, m] = await Promise.all([ask<Unsent[]>('unsent'), ask<Merged[]>('merges', { limit: 40 })])
      if (live) { setUnsent(u ?? []); setMerges(m ?? []) }
    }
    void load()
    const off = watch(() => void load())
    return () => { live = false; off() }
  }, [])
  const s = sync.value
  if (!s) return null
  const all = s.unsent === 0
  return (
    <>
      <section class="card state">
        <Icon name={all ? 'cloud' : 'phone'} />
        <h2>{all ? t('sync.safe') : t('sync.waits.long', { n: s.unsent })}</h2>
        {s.state === 'ended' && <><p>{t('sync.revoked')}</p><a class="button main wide" href="#/again">{t('again.title')}</a></>}
        <p class="soft">{t(say[s.state])}. {safe.value ? t('sync.last', { when: ago(safe.value) }) : t('sync.never')}</p>
        {s.trouble && s.state !== 'level' && <p class="soft small">{inWords(s.trouble).code ? `${inWords(s.trouble).message}. ${inWords(s.trouble).hint}` : s.trouble}</p>}
        {(s.state === 'connecting' || s.state === 'off') && <button class="button" onClick={wake}>{t('sync.now')}</button>}
        {!all && <button class="button quiet" onClick={() => void keep('unsent')}><Icon name="file" />{t('sync.export')}</button>}
      </section>
      <section><h2 class="part">{t('sync.only')}</h2>
        {unsent.length === 0 ? <p class="soft card pad">{t('sync.nothing')}</p> : (
          <ul class="card list">{unsent.slice(0, 50).map((u, i) => (
            <li key={i}><Icon name={u.refused ? 'no' : 'phone'} /><span>{what(u.document)}<small class="soft" style={{ display: 'block' }}>{u.refused ? `${t('sync.refused')}: ${u.reason ?? u.refused}` : t('sync.fields', { n: u.keys })}</small></span><small class="soft">{ago(u.at)}</small></li>
          ))}</ul>
        )}
      </section>
      {merges.length > 0 && <section><h2 class="part">{t('sync.merged')}</h2>
        <ul class="card list">{merges.map((m, i) => (
          <li key={i}><Icon name={m.what === 'conflict' ? 'pen' : m.field === 'contacts' ? 'people' : 'clock'} /><span>{m.what === 'conflict' ? t('sync.conflict', { name: m.name ?? '', field: m.field ?? '', kept: m.kept ?? '' }) : t(m.field === 'contacts' ? 'sync.people' : 'sync.actions', { n: m.count })}</span><small class="soft">{ago(m.at)}</small></li>
        ))}</ul>
      </section>}
    </>
  )
}
