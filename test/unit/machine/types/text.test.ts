import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../../src/base/argv.ts'
import { type Content, contentOf, Text, TextBuilder } from '../../../../src/machine/types/text.ts'
import { built, partsOf } from './built.ts'

function content(word: string | Buffer): Content {
  return contentOf(Argv.of(word), 0)
}

function show(text: Text): string {
  return text.bytes().toString('latin1')
}

/** The text that a cut's parts make. */
function rebuilt(text: Text, cut = text.cut(), partBytes = 100): Text {
  return built(new TextBuilder(), partsOf(cut, partBytes))
}

test('numbers, short texts and bytes are kept as such, and come back so from a snapshot', () => {
  const long = Buffer.alloc(5000, 'x')
  const words = ['0', '-7', '9007199254740993', '-0', '007', '', 'caf\u00e9', long]
  const kinds = ['number', 'number', 'bigint', 'string', 'string', 'string', 'string', 'object']
  for (const [i, word] of words.entries()) {
    const kept = content(word)
    assert.equal(typeof kept, kinds[i])
    const text = new Text(kept)
    assert.ok(text.bytes().equals(Buffer.from(word)))
    assert.equal(text.length, Buffer.from(word).length)
    const again = rebuilt(text)
    assert.deepEqual(again.bytes(), text.bytes())
    assert.equal(again.encoding, text.encoding)
  }
})

test('a cut keeps what was there, whatever is added behind it or put in its place', () => {
  const text = new Text(content('abc'))
  text.append(Argv.of('def'), 0)
  const cut = text.cut()
  text.append(Argv.of('ghi'), 0)
  assert.equal(show(text), 'abcdefghi')
  const other = text.cut()
  text.set(5)
  assert.equal(show(rebuilt(text, cut)), 'abcdef')
  assert.equal(show(rebuilt(text, other, 2)), 'abcdefghi')
  assert.equal(show(text), '5')
  // What grew from a restored value is not what the value was restored from.
  const copy = rebuilt(new Text(Buffer.from('raw')))
  copy.append(Argv.of('!'), 0)
  assert.equal(show(copy), 'raw!')
})

test('a reply holds what the string held when it was asked', () => {
  const text = new Text(content(Buffer.alloc(2000, 'a')))
  text.append(Argv.of('b'), 0)
  const reply = text.reply()
  text.append(Argv.of('c'), 0)
  text.set('other')
  assert.ok(reply.kind === 'bulk' && reply.bytes.length === 2001 && reply.bytes[2000] === 0x62)
})
