// Where we are, in the hash: a page that comes from the cache needs no server to find its way.
import { computed, signal } from '@preact/signals'

const hash = signal(location.hash)
addEventListener('hashchange', () => { hash.value = location.hash })
export const route = computed(() => hash.value.replace(/^#\/?/, '').split('/'))
export const go = (to: string) => { location.hash = '/' + to }
const navigation = (window as { navigation?: { canGoBack: boolean } }).navigation
/** back goes one screen back, and never out of the app: who came by a link has none of ours behind them. */
export const back = () => ((navigation?.canGoBack ?? history.length > 1) ? history.back() : go(''))
