// The health check of a container: 0 when its node serves, 1 when it does not.
const port = process.env.SLOTCAST_HEALTH_PORT ?? '7301'

try {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, {
    signal: AbortSignal.timeout(1500),
  })
  console.log((await response.text()).trim())
  process.exitCode = response.status === 200 ? 0 : 1
} catch (error) {
  console.log(error.message)
  process.exitCode = 1
}
