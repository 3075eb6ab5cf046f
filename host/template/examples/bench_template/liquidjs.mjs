// Renders the mail of this folder with LiquidJS, parsed once, and prints microseconds a rendering.
// `node liquidjs.mjs FOLDER`, where FOLDER holds node_modules/liquidjs.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { Liquid } = createRequire(process.argv[2] + '/')('liquidjs')
const file = (name) => readFileSync(new URL(name, import.meta.url), 'utf8')
const engine = new Liquid({ outputEscape: 'escape' })
const template = engine.parse(file('mail.liquid'))
const data = JSON.parse(file('mail.json'))

let best = Infinity
for (let round = 0; round < 5; round++) {
  const times = 20000
  const start = process.hrtime.bigint()
  for (let n = 0; n < times; n++) engine.renderSync(template, data)
  best = Math.min(best, Number(process.hrtime.bigint() - start) / 1e3 / times)
}
console.log(best)
