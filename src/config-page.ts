// The table of options as text: the page docs/configuration.md and the end of `slotcast node --help`.

import { environmentName, OPTION_KEYS, OPTIONS, type Option } from './config-table.ts'

const INTRODUCTION = `# Configuration

Made from \`src/config-table.ts\` by \`npm run docs\`; change it there.

A node reads YAML files and the environment:

    slotcast node --config cluster/cluster.yaml --config cluster/node-1.yaml

The first file holds what all nodes share, the second what is this node's own.
Precedence: environment > later file > earlier file > default. Unknown keys are
refused with the nearest known one. The effective configuration is logged at start.

Options marked *agreed*, and the names of the seeds, are fixed once data exists and
are the same on every node: a node whose data directory or whose peers were made
with others refuses to work with them.
`

/** The whole of docs/configuration.md. */
export function configurationPage(): string {
  const parts = [INTRODUCTION]
  let section = ''
  for (const key of OPTION_KEYS) {
    const option: Option = OPTIONS[key]
    const top = key.slice(0, key.indexOf('.'))
    if (top !== section) {
      section = top
      parts.push(`## \`${section}\`\n`)
    }
    parts.push(
      `### \`${key}\`\n\n${describe(option)}${option.agreed ? ' *Agreed.*' : ''}\n` +
        `Environment: \`${environmentName(key)}\`\n\n${option.doc}\n`,
    )
  }
  return parts.join('\n')
}

/** One line for each option, for a terminal. */
export function configurationHelp(): string {
  const lines = OPTION_KEYS.map(key => {
    const option: Option = OPTIONS[key]
    return `  ${key.padEnd(44)} ${describe(option)}`
  })
  return `\nOptions of the configuration files (docs/configuration.md explains them):\n${lines.join('\n')}\n`
}

function describe(option: Option): string {
  switch (option.kind) {
    case 'integer':
      return `integer, ${option.range[0]}..${option.range[1]}, default ${option.default}.`
    case 'flag':
      return `true or false, default ${option.default}.`
    case 'choice':
      return `${option.choices.join(' | ')}, default ${option.default}.`
    case 'address':
      return `host:port, default ${option.default ?? 'see below'}.`
    case 'seeds':
      return 'list of name=host:port, default empty.'
    case 'text':
      return option.required ? 'text, required.' : `text, default ${option.default || 'empty'}.`
  }
}
