// Reads {"directory": path, "requests": [...]} from standard input, evaluates every request and writes the answers
// as JSON. One process serves a whole batch: loading the tool costs more than evaluating.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const { directory, requests } = JSON.parse(Buffer.concat(chunks).toString('utf8'))

const entry = createRequire(join(directory, 'package.json')).resolve('@cloud-copilot/iam-simulate')
const { runSimulation } = await import(pathToFileURL(entry).href)

const answers = []
for (const simulation of requests) {
  const result = await runSimulation(simulation, {})
  answers.push(result.resultType === 'error' ? { error: result.errors ?? result } : { decision: result.overallResult })
}
process.stdout.write(JSON.stringify(answers))
