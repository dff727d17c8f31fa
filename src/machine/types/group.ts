// A consumer group of a stream.

import type { Reader, Writer } from '../../base/bytes.ts'
import type { Builder, Cut } from './part.ts'

export class Group {
  cut(): Cut {
    return {
      write(writer: Writer): boolean {
        writer.u8(0)
        return true
      },
    }
  }
}

export class GroupBuilder implements Builder<Group> {
  read(reader: Reader): void {
    reader.u8()
  }

  finish(): Group {
    return new Group()
  }
}
