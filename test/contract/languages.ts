// The languages whose clients keep the contract, each in a file of its own.

import { go } from './languages/go.ts'
import { java } from './languages/java.ts'
import type { Language } from './languages/language.ts'
import { python } from './languages/python.ts'

export const LANGUAGES: readonly Language[] = [python, go, java]
