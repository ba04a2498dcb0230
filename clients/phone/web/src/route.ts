// Where we are, in the hash: a page that comes from the cache needs no server to find its way.
import { computed, signal } from '@preact/signals'

const hash = signal(location.hash)
addEventListener('hashchange', () => { hash.value = location.hash })
export const route = computed(() => hash.value.replace(/^#\/?/, '').split('/'))
export const go = (to: string) => { location.hash = '/' + to }
export const back = () => (history.length > 1 ? history.back() : go(''))
