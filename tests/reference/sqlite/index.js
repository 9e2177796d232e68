// Replaces the npm package better-sqlite3 (see "overrides" in ../package.json).
//
// The reference PDS opens its databases with better-sqlite3, which has a native
// part that must be compiled on every machine. Node 22 has SQLite built in. This
// file implements the functions that the PDS and its query builder call, with the
// error codes of better-sqlite3, so that no C++ compiler is necessary.
import { DatabaseSync } from 'node:sqlite'

// Names of the extended result codes of SQLite that the PDS compares by name.
const ERROR_NAMES = {
  5: 'SQLITE_BUSY',
  261: 'SQLITE_BUSY_RECOVERY',
  517: 'SQLITE_BUSY_SNAPSHOT',
  773: 'SQLITE_BUSY_TIMEOUT',
  1555: 'SQLITE_CONSTRAINT_PRIMARYKEY',
  2067: 'SQLITE_CONSTRAINT_UNIQUE',
}

function translate(call) {
  try {
    return call()
  } catch (error) {
    if (error?.code === 'ERR_SQLITE_ERROR') error.code = ERROR_NAMES[error.errcode] ?? `SQLITE_${error.errcode}`
    throw error
  }
}

// Converts a row of node:sqlite, an object without a prototype with Uint8Arrays,
// to a row of better-sqlite3, a plain object with Buffers.
function plainRow(row) {
  const plain = { ...row }
  for (const [name, value] of Object.entries(plain)) {
    if (value instanceof Uint8Array) plain[name] = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  }
  return plain
}

class Statement {
  #statement

  constructor(statement) {
    this.#statement = statement
    this.reader = statement.columns().length > 0
  }

  all(parameters = []) {
    return translate(() => this.#statement.all(...parameters)).map(plainRow)
  }

  run(parameters = []) {
    return translate(() => this.#statement.run(...parameters))
  }

  *iterate(parameters = []) {
    for (const row of this.#statement.iterate(...parameters)) yield plainRow(row)
  }
}

export default class Database {
  #database

  constructor(location, { timeout = 5000 } = {}) {
    this.#database = translate(() => new DatabaseSync(location, { timeout }))
  }

  prepare(sql) {
    return new Statement(translate(() => this.#database.prepare(sql)))
  }

  pragma(text) {
    return this.prepare(`PRAGMA ${text}`).all()
  }

  close() {
    if (this.#database.isOpen) this.#database.close()
  }
}
