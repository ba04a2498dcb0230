import { render } from 'preact'
import './style/tokens.css'
import './style/base.css'
import './style/app.css'
import { App } from './app'
import { speak } from './i18n'
import { start } from './state'
import { connect } from './connect'

speak(navigator.language)
document.documentElement.dataset['theme'] = localStorage.getItem('theme') ?? 'auto'
render(<App />, document.getElementById('app')!)
void start(connect())

// The app itself lies on the phone after the first visit. A new one waits until all pages of the old one are closed.
if ('serviceWorker' in navigator && import.meta.env.PROD) void navigator.serviceWorker.register('/app/sw.js', { scope: '/app/' })
