/** The parts of the file of a vehicle besides its record and its use, as they stand in the address (?part=). */
export const PARTS = ['particulars', 'acts', 'repairs', 'papers', 'files'] as const
export type Part = (typeof PARTS)[number]
export const partOf = (said: unknown): Part | null => PARTS.find((one) => one === said) ?? null
