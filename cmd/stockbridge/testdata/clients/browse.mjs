// Opens a page in Chromium and prints every entry that comes into its list, until it is told to end.
import { chromium } from 'playwright-core'

const [, , address] = process.argv
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
})
process.on('SIGTERM', () => browser.close().then(() => process.exit(0)))
const page = await browser.newPage()
page.on('pageerror', (e) => console.log('the page failed:', e.message))
page.on('console', (m) => console.log('the page says:', m.text()))
await page.exposeFunction('told', (text) => console.log(text))
await page.addInitScript(() =>
  new MutationObserver((changes) => changes.forEach((c) => c.addedNodes.forEach((n) => n.tagName === 'LI' && window.told(n.textContent))))
    .observe(document, { childList: true, subtree: true }))
await page.goto(address)
console.log('opened')
