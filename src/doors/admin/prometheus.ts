// Metrics as Prometheus reads them: text exposition format 0.0.4.

import type { Gauge, Histogram, Metrics } from '../../base/metrics.ts'

export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Every series has this before its name, so that ours are found among others. Process series keep theirs. */
const PREFIX = 'slotcast_'

export function prometheusText(metrics: Metrics): string {
  const lines: string[] = []
  for (const counter of metrics.counters.values()) {
    head(lines, counter.name, counter.help, 'counter')
    lines.push(`${nameOf(counter.name)} ${number(counter.value)}`)
  }
  for (const gauge of metrics.gauges.values()) writeGauge(lines, gauge)
  for (const histogram of metrics.histograms.values()) writeHistogram(lines, histogram)
  lines.push('')
  return lines.join('\n')
}

function writeGauge(lines: string[], gauge: Gauge): void {
  // A gauge that only rises is a counter to those who read it, whatever it is to us.
  head(lines, gauge.name, gauge.help, gauge.name.endsWith('_total') ? 'counter' : 'gauge')
  const name = nameOf(gauge.name)
  const value = gauge.read()
  if (typeof value === 'number') {
    lines.push(`${name} ${number(value)}`)
    return
  }
  const label = gauge.label ?? 'of'
  for (const [key, sample] of value)
    lines.push(`${name}{${label}="${escapeLabel(key)}"} ${number(sample)}`)
}

function writeHistogram(lines: string[], histogram: Histogram): void {
  head(lines, histogram.name, histogram.help, 'histogram')
  const name = nameOf(histogram.name)
  let total = 0
  for (const [i, bound] of histogram.bounds.entries()) {
    total += histogram.buckets[i] ?? 0
    lines.push(`${name}_bucket{le="${number(bound)}"} ${total}`)
  }
  total += histogram.buckets[histogram.bounds.length] ?? 0
  lines.push(`${name}_bucket{le="+Inf"} ${total}`)
  lines.push(`${name}_sum ${number(histogram.sum)}`)
  lines.push(`${name}_count ${total}`)
}

function head(lines: string[], name: string, help: string, type: string): void {
  const full = nameOf(name)
  lines.push(`# HELP ${full} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`)
  lines.push(`# TYPE ${full} ${type}`)
}

function nameOf(name: string): string {
  return /^(process|nodejs)_/.test(name) ? name : PREFIX + name
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return String(value)
}
