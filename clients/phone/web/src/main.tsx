import { render } from 'preact'
import './style/tokens.css'
import './style/base.css'
import './style/app.css'
import './style/loop.css'
import { App } from './app'
import { dress } from './brand'
import { speak } from './i18n'
import { recall } from './keep'
import { start, theme } from './state'
import { connect } from './connect'
import { attend } from './reminders'
import { leads, look, other } from './update'

const device = connect('trio', told => { // the worker begins before anything is drawn
  if ('leads' in told) { leads.value = true; other.value = '' }
  if ('other' in told && !leads.value) other.value = told.other
  if ('other' in told && leads.value && told.other === 'newer') other.value = 'newer'
})
dress(theme)
await speak(recall('language') || navigator.language)
void start(device).then(attend)
render(<App />, document.getElementById('app')!)
void look() // the app itself lies on the phone after the first visit; a new one is found, and waits
