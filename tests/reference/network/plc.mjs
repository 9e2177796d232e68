// Starts the reference PLC directory (did:plc) with an in-memory database.
import plcModule from '@did-plc/server'
import { choosePort } from './settings.mjs'

export async function startPlc() {
  const port = await choosePort('PLC')
  const server = plcModule.PlcServer.create({ db: plcModule.Database.mock(), port })
  await server.start()
  return { url: `http://localhost:${port}`, stop: () => server.destroy() }
}
