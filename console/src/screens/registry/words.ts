// Words of the tables of kinds in the language of the page.
import { pick } from '@/i18n'

import type { Words } from './kind'

export const say = (words: Words | undefined): string => (words ? pick({ zh: words[0], en: words[1] }) : '')
